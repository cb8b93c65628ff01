//! A Helm command, played through before it is run: the proxy's pure core. A request and the overlay go in, an answer and
//! findings come out. No sockets, no clock.
//!
//! `edge::proxy` carries what is said here to and fro: it gives a request to [`Rehearsal::receive`], does what the returned
//! [`Next`] says, and gives the server's answer to [`Rehearsal::resume`] where that was asked for.
//!
//! ```text
//! request -> call (is it in the table?) -> read: overlay, or the server's answer merged with it
//!                                       -> write: what is it now, who serves it? (lookup) -> disguise -> dry run
//! answer  -> judge: refusal, or what a dry run leaves out (beyond) -> account; overlay, made ready -> answer
//! ```

mod account;
mod aggregation;
mod allocator;
mod author;
mod beyond;
mod call;
pub mod crd;
mod deletion;
mod diff;
pub mod discovery;
mod disguise;
mod exit;
mod immutable;
mod judge;
mod kinds;
mod lookup;
mod message;
mod overlay;
mod own_dry_run;
mod patch;
mod protobuf;
mod quota;
mod read;
mod ready;
mod refusal;
mod replica_set;
mod resent;
mod ruling;
mod selector;
mod settings;
#[cfg(test)]
mod tests;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

pub use exit::stores_nothing;
pub use message::{Continuation, Next, Request, Response, Watch};
pub use settings::{Pretended, ReleaseSettings, Settings};

use account::Account;
use beyond::AskedService;
use call::{Call, Denied, Target};
use crd::Definition;
use kinds::Kinds;
use lookup::Known;
use message::Then;
use overlay::{Key, Overlay};
use quota::Ledger;

use crate::domain::rehearsed::{Finding, Rehearsed};

/// A rehearsal that runs.
#[derive(Debug)]
pub struct Rehearsal {
    settings: Settings,
    overlay: Overlay,
    account: Account,
    known: Known,
    kinds: Kinds,
    /// By namespace.
    ledgers: BTreeMap<String, Ledger>,
    /// Services as the command asked for them.
    asked_services: BTreeMap<Key, AskedService>,
    /// Real objects as they passed by: a write is compared with them.
    reals: BTreeMap<Key, Value>,
    /// Custom kinds that the command brings or changes, by group and plural.
    definitions: BTreeMap<(String, String), Definition>,
    /// Secrets of the command's own dry runs: they are kept nowhere else, and the masker must know them.
    tried_secrets: Vec<Value>,
    /// uids of Deployments whose real `ReplicaSets` are hidden.
    hidden_owners: BTreeSet<String>,
    /// Reads of one object that the user may not do, with the server's sentence.
    forbidden_reads: Vec<(String, Finding)>,
    denied: Vec<String>,
    notes: Vec<String>,
}

impl Rehearsal {
    /// Returns a rehearsal that sees the cluster as the pretended steps leave it.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let mut overlay = Overlay::default();
        for pretended in &settings.pretended {
            let (key, live) = pretended.deleted();
            overlay.remove(key, live.clone(), Some(live));
        }
        Self {
            settings,
            overlay,
            account: Account::default(),
            known: Known::default(),
            kinds: Kinds::default(),
            ledgers: BTreeMap::new(),
            asked_services: BTreeMap::new(),
            reals: BTreeMap::new(),
            definitions: BTreeMap::new(),
            tried_secrets: Vec::new(),
            hidden_owners: BTreeSet::new(),
            forbidden_reads: Vec::new(),
            denied: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Takes a request of the rehearsed command.
    pub fn receive(&mut self, request: Request) -> Next {
        match Call::read(&request) {
            Ok(call) if call.is_review() => Next::Forward(request),
            Ok(Call { verb, target: Some(target) }) if !verb.reads() => self.write(verb, target, request),
            Ok(call) => self.read(call, request),
            Err(denied) => Next::Answer(self.deny(denied)),
        }
    }

    /// Takes back a request that is not sent because it might store something ([`stores_nothing`]), and returns what is
    /// answered instead. The core should never have let it out: it is told with all else that was denied.
    pub fn withhold(&mut self, request: &Request) -> Response {
        self.deny(Denied::withheld(request))
    }

    /// Keeps what is not let through, and returns the answer to it.
    fn deny(&mut self, denied: Denied) -> Response {
        let told = denied.to_string();
        if !self.denied.contains(&told) {
            self.denied.push(told);
        }
        denied.into_response()
    }

    /// Takes the server's answer to what [`Next::Ask`] asked.
    pub fn resume(&mut self, then: Continuation, answer: Response) -> Next {
        match then.0 {
            Then::Read(then) => self.finish_read(then, answer),
            Then::Write(then) => self.finish_write(*then, answer),
        }
    }

    /// Returns every Secret that passed by or was written, Helm's own records left out: the masker must know them before anything
    /// that was found is shown.
    pub fn secrets(&self) -> impl Iterator<Item = &Value> {
        let written = self.overlay.present().map(|(_, object)| object);
        let is_secret = |object: &&Value| object.get("kind").and_then(Value::as_str) == Some("Secret");
        let seen = self.reals.values().chain(&self.tried_secrets);
        seen.chain(written).filter(is_secret).filter(|object| !judge::is_record(object))
    }

    /// Returns the newest record of the release that the command wrote, as Helm stores it; nothing if it wrote none.
    ///
    /// Source: Helm `pkg/storage/storage.go` `makeKey`: the name ends with the revision.
    #[must_use]
    pub fn written_record(&self, release: &str) -> Option<Vec<u8>> {
        let start = format!("sh.helm.release.v1.{release}.v");
        let revision = |key: &Key| key.name.strip_prefix(&start)?.parse::<u32>().ok();
        let records = self.overlay.present().filter(|(_, object)| judge::is_record(object));
        let newest =
            records.filter_map(|(key, object)| Some((revision(key)?, key, object))).max_by_key(|found| found.0);
        let (_, key, object) = newest?;
        let text = object.pointer("/data/release")?.as_str()?;
        if key.plural == "configmaps" { Some(text.as_bytes().to_vec()) } else { BASE64_STANDARD.decode(text).ok() }
    }

    /// Returns the reads of one object that the user may not do and that `said`, the last words of a command that failed, tells
    /// of. A command may well do without what it may not read; then that is no finding.
    #[must_use]
    pub fn forbidden_reads(&self, said: &str) -> Vec<Finding> {
        let told = self.forbidden_reads.iter().filter(|(message, _)| said.contains(message.as_str()));
        told.map(|(_, finding)| finding.clone()).collect()
    }

    /// Returns what was found: all writes together, compared with the cluster before.
    #[must_use]
    pub fn close(self) -> Rehearsed {
        let Self { settings, overlay, account, denied, notes, .. } = self;
        Rehearsed { denied, notes, ..account.close(settings.mode, &overlay) }
    }

    /// Keeps the definition of a custom kind that the server does not have, or has otherwise.
    fn define(&mut self, crd: &Value) {
        let real = crd.pointer("/metadata/name").and_then(Value::as_str).and_then(|name| {
            let resource = call::Resource::definitions();
            self.overlay.get(&Key::new(&resource, None, name))?.real.as_ref()
        });
        if real.is_some_and(|real| real.get("spec") == crd.get("spec")) {
            return;
        }
        // One that cannot be read was refused by the server, or will be.
        if let Ok(definition) = Definition::read(crd) {
            self.definitions.insert((definition.group.clone(), definition.names.plural.clone()), definition);
        }
    }

    /// Notes what is not known of no object in particular, once.
    fn note(&mut self, what: String) {
        if !self.notes.contains(&what) {
            self.notes.push(what);
        }
    }

    fn definition_of(&self, target: &Target) -> Option<&Definition> {
        self.definitions.get(&(target.resource.group.clone(), target.resource.plural.clone()))
    }

    /// Tells whether the server has the kind already, in another shape perhaps.
    fn is_served(&self, target: &Target) -> bool {
        let name = format!("{}.{}", target.resource.plural, target.resource.group);
        let entry = self.overlay.get(&Key::new(&call::Resource::definitions(), None, &name));
        entry.is_none_or(|entry| entry.real.is_some())
    }
}
