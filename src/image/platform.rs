//! Platforms: operating system, architecture and variant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The platform of an image. <https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Platform {
    /// `amd64`, `arm64`, …, as Go names them.
    #[serde(default)]
    pub architecture: String,
    /// `linux`, `windows`, …
    #[serde(default)]
    pub os: String,
    /// Windows' build number.
    #[serde(
        rename = "os.version",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub os_version: Option<String>,
    /// Windows' `win32k`.
    #[serde(
        rename = "os.features",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub os_features: Option<Vec<String>>,
    /// `v7`, `v8`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// Whether this platform is `wanted`: the same system and architecture, and the same variant if `wanted` has one. arm64 is
    /// arm64/v8, arm is arm/v7, and amd64 is amd64/v1.
    #[must_use]
    pub fn fits(&self, wanted: &Platform) -> bool {
        self.os == wanted.os
            && self.architecture == wanted.architecture
            && (wanted.variant.is_none() || wanted.level() == self.level())
    }

    /// The variant without its `v`, or the one that engines take for none.
    /// <https://github.com/containerd/platforms/blob/v0.2.1/database.go>
    fn level(&self) -> Option<&str> {
        match (self.variant.as_deref(), self.architecture.as_str()) {
            (Some(variant), _) if !variant.is_empty() => {
                Some(variant.strip_prefix('v').unwrap_or(variant))
            }
            (_, "arm64") => Some("8"),
            (_, "arm") => Some("7"),
            (_, "amd64") => Some("1"),
            _ => None,
        }
    }

    /// This platform, with the variant of another description of the same image if this one lacks it.
    pub(crate) fn with_variant_of(&self, other: Option<&Platform>) -> Platform {
        let mut platform = self.clone();
        let is_same =
            |other: &&Platform| other.os == self.os && other.architecture == self.architecture;
        if let (None, Some(other)) = (&self.variant, other.filter(is_same)) {
            platform.variant.clone_from(&other.variant);
        }
        platform
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

impl Platform {
    /// Whether it has both required fields.
    pub(crate) fn is_complete(&self) -> bool {
        !self.os.is_empty() && !self.architecture.is_empty()
    }
}

/// Why a string is not a platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a platform, expected OS/ARCH or OS/ARCH/VARIANT")]
pub struct PlatformError(String);

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Platform, PlatformError> {
        let parts: Vec<&str> = text.split('/').collect();
        let (os, architecture, variant) = match parts[..] {
            [os, architecture] => (os, architecture, None),
            [os, architecture, variant] => (os, architecture, Some(variant)),
            _ => return Err(PlatformError(text.to_owned())),
        };
        if parts.iter().any(|part| part.is_empty()) {
            return Err(PlatformError(text.to_owned()));
        }
        Ok(Platform {
            architecture: architecture.to_owned(),
            os: os.to_owned(),
            os_version: None,
            os_features: None,
            variant: variant.map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_parsed_and_compared() {
        let platform = |text: &str| text.parse::<Platform>().unwrap();
        assert_eq!(platform("linux/arm/v7").to_string(), "linux/arm/v7");
        assert!(platform("linux/arm64/v8").fits(&platform("linux/arm64")));
        for (short, full) in [
            ("linux/arm64", "linux/arm64/v8"),
            ("linux/arm", "linux/arm/v7"),
            ("linux/amd64", "linux/amd64/v1"),
        ] {
            assert!(platform(short).fits(&platform(full)), "{short}");
        }
        assert!(!platform("linux/arm64").fits(&platform("linux/arm64/v9")));
        assert!(!platform("linux/arm").fits(&platform("linux/arm/v6")));
        assert!(!platform("linux/amd64/v1").fits(&platform("linux/amd64/v3")));
        assert!(!platform("linux/ppc64le").fits(&platform("linux/ppc64le/power9")));
        assert!(!platform("linux/arm64").fits(&platform("linux/amd64")));
        for bad in ["linux", "linux/", "linux/arm/v7/x", ""] {
            assert!(bad.parse::<Platform>().is_err(), "{bad}");
        }
    }
}
