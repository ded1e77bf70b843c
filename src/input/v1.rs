//! Placeholder until the v1 modules are in.
use crate::digest::DiffId;
use crate::error::Result;

/// V1 metadata of which a config is made.
#[derive(Debug, Clone)]
pub enum V1Config {}

impl V1Config {
    /// The config's bytes.
    pub fn config(&self, _diff_ids: &[DiffId]) -> Result<Vec<u8>> {
        match *self {}
    }
}
