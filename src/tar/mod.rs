//! Reading tars: one walk through headers, numbers, extension records and sparse maps, for archives and layers.

mod check;
mod extensions;
mod header;
mod index;
mod member;
mod number;
mod paths;
mod pax;
mod readers;
mod sparse;
#[cfg(test)]
mod tests;
mod walk;

pub(crate) use check::TarCheck;
pub(crate) use header::{BLOCK, Header};
pub(crate) use index::members;
pub(crate) use member::{Extent, Member, MemberKind};
pub(crate) use readers::disagreement;
