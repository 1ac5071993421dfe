//! What the tests share: no mocks, but real counterparts that misbehave on demand.

pub(crate) mod daemon;
pub(crate) mod faulty;
pub(crate) mod origin;
pub(crate) mod proxy;
pub(crate) mod receiver;
pub(crate) mod tls;
