//! What `qbo-runc` and the checks of the host have in common: one judgement of what a host lacks.

pub mod capability;
