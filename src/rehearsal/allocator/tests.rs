use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::rehearsal::refusal::{Refusal, RefusedWrite, classify};
use crate::rehearsal::write::Act;

/// One Service that was asked for on Kubernetes 1.36, with a dry run and for real.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    what: String,
    others: Vec<Value>,
    service_cidrs: Vec<Value>,
    live: Option<Value>,
    desired: Value,
    dry: Answer,
    real: Answer,
}

#[derive(Debug, Deserialize)]
struct Answer {
    code: u16,
    #[serde(default)]
    status: Value,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../../../tests/fixtures/rehearsal/services.json"))
        .expect("the cases can be read")
}

fn service(namespace: &str, name: &str) -> ObjectRef {
    ObjectRef {
        api_version: "v1".into(),
        kind: "Service".into(),
        namespace: Some(namespace.to_owned()),
        name: name.to_owned(),
    }
}

fn object_of(case: &Case) -> ObjectRef {
    service("ports", case.desired.pointer("/metadata/name").and_then(Value::as_str).expect("a name"))
}

/// Judges a Service among others: of the cluster, and of the overlay.
fn judge(others: (&[Value], &[Value]), service_cidrs: &[Value], asked: (&ObjectRef, &Value, Option<&Value>)) -> Ruling {
    let holders = |services: &[Value]| services.iter().map(Holder::of).collect::<Vec<_>>();
    let (real, overlay, cidrs) = (holders(others.0), holders(others.1), Cidr::all(service_cidrs));
    Ports::new(real.iter(), overlay.iter(), &cidrs).judge(asked.0, asked.1, asked.2)
}

#[test]
fn the_ruling_is_what_the_server_really_does() {
    let mut missed_by_dry_runs = 0;
    for case in cases() {
        let asked = (&object_of(&case), &case.desired, case.live.as_ref());
        let ruling = judge((&case.others, &[]), &case.service_cidrs, asked);
        let is_refused = case.real.code >= 400;
        assert_eq!(matches!(ruling, Ruling::Findings(_)), is_refused, "{}: {ruling:?} {:?}", case.what, case.real);
        assert_eq!(ruling == Ruling::Fits, !is_refused, "{}", case.what);
        missed_by_dry_runs += usize::from(is_refused && case.dry.code < 400);
    }
    assert!(missed_by_dry_runs >= 10, "{missed_by_dry_runs}: then this check is needed no more");
}

#[test]
fn the_ruling_has_the_class_and_the_field_of_the_server_s_own_refusal() {
    for case in cases().into_iter().filter(|case| case.real.code >= 400) {
        let object = object_of(&case);
        let write = RefusedWrite {
            object: &object,
            act: if case.live.is_some() { Act::Update } else { Act::Create },
            code: case.real.code,
            status: &case.real.status,
            live: case.live.as_ref(),
            desired: Some(&case.desired),
        };
        let Refusal::Findings(said) = classify(&write) else { panic!("{}", case.what) };
        let asked = (&object, &case.desired, case.live.as_ref());
        let Ruling::Findings(found) = judge((&case.others, &[]), &case.service_cidrs, asked) else {
            panic!("{}", case.what)
        };
        assert_eq!(said[0].class, found[0].class, "{}", case.what);
        // The server says `spec.clusterIPs` of what was written to `spec.clusterIP`.
        let paths = |findings: &[Finding]| -> Vec<String> {
            let fields = findings.iter().flat_map(|finding| &finding.fields);
            fields.map(|field| field.path.replace("spec.clusterIPs", "spec.clusterIP")).collect()
        };
        let is_named = paths(&found).iter().any(|path| paths(&said).contains(path));
        assert!(is_named, "{}: {said:?} {found:?}", case.what);
    }
}

#[test]
fn what_the_plan_takes_is_taken_and_what_it_gives_back_is_free() {
    let asking = |name: &str, port: i64| {
        json!({"metadata": {"namespace": "shop", "name": name},
            "spec": {"type": "NodePort", "clusterIP": "10.0.0.9", "ports": [{"port": 80, "nodePort": port}]}})
    };
    let cidrs =
        [json!({"spec": {"cidrs": ["10.0.0.0/24"]}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}})];
    let (a, b) = (asking("a", 30001), asking("b", 30001));
    let taken = judge((&[], std::slice::from_ref(&a)), &cidrs, (&service("shop", "b"), &b, None));
    let Ruling::Findings(findings) = taken else { panic!("{taken:?}") };
    let told: Vec<(&str, Option<&str>)> =
        findings.iter().map(|finding| (finding.cause.as_str(), finding.who.as_deref())).collect();
    assert_eq!(
        told,
        [
            ("node port 30001 is taken by Service shop/a", Some("Service shop/a")),
            ("clusterIP 10.0.0.9 is taken by Service shop/a", Some("Service shop/a")),
        ]
    );
    assert_eq!(judge((&[], &[]), &cidrs, (&service("shop", "b"), &b, None)), Ruling::Fits);
    // Of the same name in another namespace.
    let real = std::slice::from_ref(&a);
    assert_ne!(judge((real, &[]), &cidrs, (&service("other", "a"), &a, None)), Ruling::Fits);
    assert_eq!(judge((real, &[]), &cidrs, (&service("shop", "a"), &a, None)), Ruling::Fits);
}

#[test]
fn a_range_that_is_not_known_is_said() {
    let with = |port: i64| {
        json!({"metadata": {"namespace": "x", "name": port.to_string()},
        "spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": port}]}})
    };
    let among = |real: &[Value], overlay: &[Value], port: i64| {
        judge((real, overlay), &[], (&service("shop", "s"), &with(port), None))
    };
    assert!(matches!(among(&[], &[], 8080), Ruling::Findings(_)));
    assert!(matches!(among(&[with(8000)], &[], 8080), Ruling::Unpredictable { .. }));
    // What lies between two that were given out is in range.
    assert_eq!(among(&[with(8000), with(9000)], &[], 8080), Ruling::Fits);
    assert!(matches!(among(&[with(8000)], &[], 30080), Ruling::Unpredictable { .. }));
    // What only the plan asks for proves nothing.
    assert!(matches!(among(&[], &[with(8000)], 8080), Ruling::Findings(_)));
    // No range holds these.
    assert!(matches!(among(&[with(8000)], &[], 70000), Ruling::Findings(_)));

    let ip = json!({"spec": {"clusterIP": "10.0.0.9"}});
    let ruling = judge((&[], &[]), &[], (&service("shop", "s"), &ip, None));
    assert!(matches!(ruling, Ruling::Unpredictable { .. }), "{ruling:?}");
}

#[test]
fn only_a_finalizer_keeps_the_ports_of_a_deleted_service() {
    let keeps_ports = |service: Value| Holder::of(&service).keeps_ports;
    assert!(!keeps_ports(json!({"metadata": {}})) && !keeps_ports(json!({"metadata": {"finalizers": []}})));
    assert!(keeps_ports(json!({"metadata": {"finalizers": ["service.kubernetes.io/load-balancer-cleanup"]}})));
}

proptest! {
    #[test]
    fn a_range_gives_all_its_addresses_but_the_first_and_the_last(base in any::<u32>(), prefix in 0u32..31, at in any::<u32>()) {
        let cidr = Cidr::parse(&format!("{}/{prefix}", Ipv4Addr::from_bits(base))).expect("a range");
        let size = 1u64 << (32 - prefix);
        let first = u64::from(base) / size * size;
        let address = first + u64::from(at) % size;
        let ip = IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(address).expect("an address")));
        prop_assert_eq!(cidr.gives(ip), address != first && address != first + size - 1);
        let outside = (first + size) % (1 << 32);
        let outside = IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(outside).expect("an address")));
        prop_assert!(prefix == 0 || !cidr.gives(outside));
    }

    #[test]
    fn ranges_of_ipv6_have_no_broadcast(base in any::<u128>(), prefix in 0u32..128) {
        let cidr = Cidr::parse(&format!("{}/{prefix}", Ipv6Addr::from_bits(base))).expect("a range");
        let hosts = u128::MAX >> prefix;
        prop_assert!(cidr.gives(IpAddr::V6(Ipv6Addr::from_bits(base | hosts))));
        prop_assert!(!cidr.gives(IpAddr::V6(Ipv6Addr::from_bits(base & !hosts))));
        prop_assert!(!cidr.gives(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    }
}
