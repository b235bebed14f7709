//! How a consumer is held.

/// What a consumer is told to do.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Control {
    pub paused: bool,
    /// Messages a second at most; `None` for no limit.
    pub limit: Option<f64>,
    /// Sabotage of a drill: a pause is reported and not kept.
    pub defiant: bool,
}

impl Control {
    /// Nothing more is to be asked for.
    pub(super) fn rests(self) -> bool {
        self.paused && !self.defiant
    }
}
