//! Detectors through their public face: golden scores, every edge, twins, parameters, missing inputs.

mod boundaries;
mod golden;
mod missing;
mod parameters;
mod scenes;
mod twins;
