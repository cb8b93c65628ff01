#[derive(Debug, Default)]
pub(super) struct Ledger;
