//! One place for the tar format: headers, numbers, extension records, sparse maps.

pub(crate) mod index;
mod number;
mod pax;
pub(crate) mod sparse;
mod walk;

pub(crate) use index::checksum_fits;
pub(crate) use number::number;
pub(crate) use pax::records as pax_records;
pub(crate) use walk::TarWalk;
