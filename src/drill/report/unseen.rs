//! What a drill on a region of others could not see, and what that takes from its verdicts.

use super::RunReport;
use crate::region::{NodeName, PlatformKind};

impl RunReport {
    /// Somebody else runs the region.
    fn is_external(&self) -> bool {
        self.platform == PlatformKind::External.as_str()
    }

    /// What a replica is called. In a region of others it is not known which one answered.
    pub(super) fn replica(&self, replica: &NodeName) -> String {
        if self.is_external() { "one, as it answered".into() } else { replica.to_string() }
    }

    /// What could not be seen, each with what that means; nothing in a region of our own.
    pub(super) fn unseen(&self) -> Vec<(&'static str, String)> {
        if !self.is_external() {
            return Vec::new();
        }
        let told = [
            "the servers: whether one was started again, elected or reloaded while the drill ran is not known",
            "the replicas: each zone's stream was read once, as its leader or a direct get gives it; a replica that differs from it would not be found",
            "the link: that it was cut is shown by what its ends tell, as the answer to `cut` says, and not by counting what it carried",
            "other subjects of the stream: what others published there is neither compared nor counted; numbers are of the drill's messages alone",
        ];
        told.iter().map(|text| ("not seen", (*text).to_owned())).collect()
    }
}
