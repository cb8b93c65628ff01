//! Whether the way to the API server leads through a proxy, by the rules that kubectl and Helm follow.
//!
//! Source: Go `golang.org/x/net/http/httpproxy`. kube's own reading of `NO_PROXY` compares it with the proxy's address instead of
//! the server's and stops at an empty entry, so it is not used.

use std::net::IpAddr;

use http::Uri;

use super::error::ClusterError;

/// Returns the proxy for requests to `server`: the cluster's own `proxy-url`, else what the environment says.
///
/// # Errors
/// [`ClusterError::BadSetting`] if it is no URL.
pub(super) fn choose_proxy(
    of_cluster: Option<&str>,
    server: &Uri,
    read_variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Uri>, ClusterError> {
    let variable = |name: &str| {
        let lower = name.to_ascii_lowercase();
        read_variable(name)
            .filter(|value| !value.is_empty())
            .or_else(|| read_variable(&lower).filter(|value| !value.is_empty()))
    };
    let of_environment = || {
        let name = if server.scheme_str() == Some("https") { "HTTPS_PROXY" } else { "HTTP_PROXY" };
        let proxy = variable(name)?;
        (!goes_directly(server, &variable("NO_PROXY").unwrap_or_default())).then_some(proxy)
    };
    let Some(proxy) = of_cluster.filter(|proxy| !proxy.is_empty()).map(str::to_owned).or_else(of_environment) else {
        return Ok(None);
    };
    let url = if proxy.contains("://") { proxy.clone() } else { format!("http://{proxy}") };
    url.parse().map(Some).map_err(|error: http::uri::InvalidUri| ClusterError::BadSetting {
        setting: "the proxy URL",
        value: without_password(&proxy),
        because: error.to_string(),
    })
}

fn without_password(proxy: &str) -> String {
    proxy.rsplit_once('@').map_or_else(|| proxy.to_owned(), |(_, host)| format!("***@{host}"))
}

/// Tells whether `NO_PROXY` names the server, or it is this machine.
fn goes_directly(server: &Uri, no_proxy: &str) -> bool {
    let host = server.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let address: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
        return true;
    }
    let port = server.port_u16().unwrap_or(if server.scheme_str() == Some("https") { 443 } else { 80 });
    no_proxy.split(',').map(|entry| entry.trim().to_ascii_lowercase()).any(|entry| match entry.as_str() {
        "" => false,
        "*" => true,
        entry => names(entry, &host, address, port),
    })
}

/// Tells whether one entry of `NO_PROXY` names the host.
fn names(entry: &str, host: &str, address: Option<IpAddr>, port: u16) -> bool {
    if let (Some((network, bits)), Some(address)) = (entry.split_once('/'), address) {
        return network.parse().is_ok_and(|network| bits.parse().is_ok_and(|bits| is_within(address, network, bits)));
    }
    if let Ok(named) = entry.trim_matches(['[', ']']).parse::<IpAddr>() {
        return address == Some(named);
    }
    let (name, named_port) = match entry.rsplit_once(':') {
        Some((name, digits)) if digits.parse::<u16>().is_ok() => (name, digits.parse::<u16>().ok()),
        _ => (entry, None),
    };
    if named_port.is_some_and(|named| named != port) {
        return false;
    }
    let name = name.trim_matches(['[', ']']);
    if let Ok(named) = name.parse::<IpAddr>() {
        return address == Some(named);
    }
    // `.domain` and `*.domain` name what is below it, `domain` also itself.
    let below = name.strip_prefix('*').unwrap_or(name);
    match below.strip_prefix('.') {
        Some(domain) => host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')),
        None => host == below || host.strip_suffix(below).is_some_and(|rest| rest.ends_with('.')),
    }
}

fn is_within(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    let shares =
        |one: u128, other: u128, width: u32| bits <= width && (bits == 0 || (one ^ other) >> (width - bits) == 0);
    match (address, network) {
        (IpAddr::V4(one), IpAddr::V4(other)) => shares(one.to_bits().into(), other.to_bits().into(), 32),
        (IpAddr::V6(one), IpAddr::V6(other)) => shares(one.to_bits(), other.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(of_cluster: Option<&str>, server: &str, variables: &[(&str, &str)]) -> Option<String> {
        let read =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        choose_proxy(of_cluster, &server.parse().expect("a URL"), read).expect("a proxy").map(|uri| uri.to_string())
    }

    #[test]
    fn the_clusters_own_proxy_is_used_whatever_the_environment_says() {
        let found = proxy(Some("socks5://gate:1080"), "https://api.shop:6443", &[("NO_PROXY", "*")]);
        assert_eq!(found.as_deref(), Some("socks5://gate:1080/"));
    }

    #[test]
    fn the_environments_proxy_may_lack_its_scheme() {
        let found = proxy(None, "https://api.shop:6443", &[("https_proxy", "gate:3128")]);
        assert_eq!(found.as_deref(), Some("http://gate:3128/"));
        assert_eq!(proxy(None, "http://api.shop", &[("HTTPS_PROXY", "gate:3128")]), None);
    }

    #[test]
    fn this_machine_is_never_reached_through_a_proxy() {
        for server in ["https://localhost:6443", "https://127.0.0.1:6443", "https://[::1]:6443"] {
            assert_eq!(proxy(None, server, &[("HTTPS_PROXY", "http://gate")]), None, "{server}");
        }
    }

    #[test]
    fn no_proxy_names_the_server_not_the_proxy() {
        let direct = |server: &str, no_proxy: &str| {
            proxy(None, server, &[("HTTPS_PROXY", "http://gate"), ("NO_PROXY", no_proxy)]).is_none()
        };
        assert!(direct("https://api.shop.example", "other, .shop.example,"));
        assert!(direct("https://api.shop.example", "shop.example"));
        assert!(direct("https://API.shop.example", "*.shop.example"));
        assert!(direct("https://10.1.2.3:6443", "10.0.0.0/8"));
        assert!(direct("https://10.1.2.3:6443", "10.1.2.3:6443"));
        assert!(direct("https://[fd00::1]:6443", "fd00::/8"));
        assert!(direct("https://[fd00::1]:6443", "fd00::1"));
        assert!(!direct("https://shop.example", ".shop.example"));
        assert!(!direct("https://api.workshop.example", "shop.example"));
        assert!(!direct("https://10.1.2.3:6443", "10.1.2.3:443"));
        assert!(!direct("https://10.1.2.3", "11.0.0.0/8,10.1.2.0/33"));
        assert!(!direct("https://10.1.2.3", "gate"));
    }

    #[test]
    fn a_proxys_password_is_not_shown() {
        let error = choose_proxy(Some("http://u:s3cr3t@ga te"), &Uri::from_static("https://api"), |_| None);
        assert!(!error.expect_err("no URL").to_string().contains("s3cr3t"));
    }
}
