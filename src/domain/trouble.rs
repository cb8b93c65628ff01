use super::object::Object;
use std::time::Duration;
pub struct PodTrouble {
    pub container: Option<String>,
    pub reason: String,
    pub message: String,
    pub restarts: i64,
}
impl PodTrouble {
    pub fn what(&self) -> String {
        String::new()
    }
}
pub fn pod_trouble(_p: &Object) -> Option<PodTrouble> {
    None
}
pub fn is_hopeless(_t: &PodTrouble, _d: Duration) -> bool {
    false
}
pub fn current_pods<'a>(_w: &Object, _s: &[Object], _p: &'a [Object]) -> Vec<&'a Object> {
    Vec::new()
}
