use super::crd::Definition;
pub(super) fn add(_: &str, _: &str, _: &[u8], _: &[Definition]) -> Option<(String, Vec<u8>)> {
    None
}
