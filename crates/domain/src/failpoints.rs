//! Named points of the protocol, at which the harness of faults lets a process end.
//!
//! Without the feature `failpoints` a point is nothing. What happens at one is the caller's affair:
//! this must not know processes or signals.

/// A point of the protocol.
#[inline]
pub fn reach(point: &str) {
    #[cfg(feature = "failpoints")]
    fail::fail_point!(point);
    #[cfg(not(feature = "failpoints"))]
    let _nothing = point;
}

/// Says what happens whenever a point is reached.
#[cfg(feature = "failpoints")]
pub fn arm(point: &str, act: impl Fn() + Send + Sync + 'static) -> Result<(), String> {
    fail::cfg_callback(point, act)
}
