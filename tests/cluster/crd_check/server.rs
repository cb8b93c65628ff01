//! The server that judges objects, and what it says of each.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use helm_csghub::rehearsal::crd::Checked;
use serde_json::Value;

use crate::support::Bed;

/// The server, through `kubectl proxy`: a plain HTTP port.
pub(super) struct Server {
    proxy: Child,
    address: String,
}

impl Server {
    pub(super) fn open(bed: &Bed) -> Self {
        let mut proxy = Command::new(&bed.kubectl)
            .env("KUBECONFIG", &bed.kubeconfig)
            .args(["proxy", "--port=0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        let mut said = String::new();
        BufReader::new(proxy.stdout.take().expect("piped")).read_line(&mut said).expect("kubectl says where it serves");
        let address = said.trim().rsplit(' ').next().expect("an address").to_owned();
        Self { proxy, address }
    }

    pub(super) fn get(&self, path: &str, accept: &str) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.address).expect("the proxy listens");
        let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("the proxy reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("HTTP");
        (head.to_owned(), body.as_bytes().to_vec())
    }

    pub(super) fn send(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = body.to_string();
        let mut stream = TcpStream::connect(&self.address).expect("the proxy listens");
        let length = body.len();
        let content = if method == "PATCH" { "application/apply-patch+yaml" } else { "application/json" };
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: {content}\r\nAccept: application/json\r\n"
        );
        stream.write_all(format!("{head}Content-Length: {length}\r\n\r\n{body}").as_bytes()).expect("the proxy reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("HTTP");
        let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.proxy.kill();
        let _ = self.proxy.wait();
    }
}

/// What the server says of one object.
pub(super) struct Verdict {
    pub(super) status: u16,
    /// Field and words, where it names fields.
    pub(super) causes: BTreeSet<(String, String)>,
    /// Unknown fields, in answer to strict field validation.
    pub(super) unknown: BTreeSet<String>,
    /// As it would be stored.
    pub(super) stored: Value,
}

impl Verdict {
    pub(super) fn ask(server: &Server, method: &str, path: &str, object: &Value) -> Self {
        let (status, answer) = server.send(method, &format!("{path}?dryRun=All&fieldValidation=Ignore"), object);
        let causes = answer["details"]["causes"].as_array().into_iter().flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let causes = causes
            .map(|cause| (text(&cause["field"]), text(&cause["message"])))
            .filter(|(_, message)| !message.contains("some validation rules were not checked"))
            .collect();
        let (_, strict) = server.send(method, &format!("{path}?dryRun=All&fieldValidation=Strict"), object);
        let message = text(&strict["message"]);
        let unknown = message
            .contains("strict decoding error")
            .then(|| message.split("unknown field \"").skip(1))
            .into_iter()
            .flatten();
        let unknown = unknown.filter_map(|rest| rest.split('"').next()).map(ToOwned::to_owned).collect();
        Self { status, causes, unknown, stored: answer }
    }

    pub(super) fn is_accepted(&self) -> bool {
        self.status < 300
    }

    /// Says how we differ, if we do. What we call unpredictable is no difference.
    pub(super) fn difference(&self, checked: &Checked) -> Option<String> {
        let accepts = checked.findings.is_empty();
        let unknown: BTreeSet<String> = checked.unknown_fields.iter().cloned().collect();
        // An object that cannot be read at all is not asked for its unknown fields.
        if self.status != 400 && unknown != self.unknown {
            return Some(format!("unknown fields: ours {unknown:?}, the server's {:?}", self.unknown));
        }
        if !checked.unpredictable.is_empty() {
            let holds = accepts || !self.is_accepted() && (self.status == 400 || told(checked).is_subset(&self.causes));
            return (!holds).then(|| {
                format!("refused: ours {:?}, the server's {}: {:?}", told(checked), self.status, self.causes)
            });
        }
        if accepts != self.is_accepted() {
            return Some(format!("ours: {:?}, the server's {}: {:?}", told(checked), self.status, self.causes));
        }
        if self.status == 422 && told(checked) != self.causes {
            return Some(format!("causes: ours {:?}, the server's {:?}", told(checked), self.causes));
        }
        let differs = |part: &str| self.stored.get(part) != checked.defaulted.get(part);
        if self.is_accepted() && (differs("spec") || differs("status")) {
            return Some(format!("stored: ours {}, the server's {}", checked.defaulted["spec"], self.stored["spec"]));
        }
        None
    }
}

pub(super) fn told(checked: &Checked) -> BTreeSet<(String, String)> {
    let field = |finding: &helm_csghub::domain::rehearsed::Finding| {
        finding.fields.first().map_or_else(|| "<nil>".to_owned(), |field| field.path.clone())
    };
    checked.findings.iter().map(|finding| (field(finding), finding.cause.clone())).collect()
}
