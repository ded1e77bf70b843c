//! Extension headers: what they say of the entry behind them.

use tar::EntryType;

use super::fields;
use crate::tar::pax_records;

/// What extension headers say of the entry that follows them.
#[derive(Default)]
pub(crate) struct NextEntry {
    /// GNU's.
    pub long_name: Option<Vec<u8>>,
    pub pax: PaxRecords,
}

/// Of the last PAX header, which takes the place of one before it.
#[derive(Default)]
pub(crate) struct PaxRecords {
    path: Option<Vec<u8>>,
    sparse_name: Option<Vec<u8>>,
    pub size: Option<u64>,
}

impl NextEntry {
    /// The path, if it is not that of the header.
    pub fn path(&mut self) -> Option<Vec<u8>> {
        let pax = &mut self.pax;
        let sparse_name = pax.sparse_name.take();
        sparse_name.or(self.long_name.take()).or(pax.path.take())
    }

    /// Takes what matters from PAX records; the reason when they are damaged. Engines take none from a global header.
    pub fn take_records(&mut self, kind: Option<EntryType>, records: &[u8]) -> Result<(), String> {
        let records = pax_records(records).ok_or("its PAX records are damaged")?;
        let of_entry = kind == Some(EntryType::XHeader);
        if of_entry {
            self.pax = PaxRecords::default();
        }
        for (key, value) in records {
            if !fields::is_record(key, value) || (of_entry && !fields::has_value(key, value)) {
                let key = String::from_utf8_lossy(key);
                return Err(format!("its PAX record {key} is damaged"));
            }
            if !of_entry || value.is_empty() {
                continue;
            }
            let pax = &mut self.pax;
            match key {
                b"path" => pax.path = Some(value.to_vec()),
                b"GNU.sparse.name" => pax.sparse_name = Some(value.to_vec()),
                b"size" => {
                    let size = std::str::from_utf8(value).ok().map(str::parse);
                    let Some(Ok(size)) = size else {
                        return Err("its PAX record size is damaged".to_owned());
                    };
                    pax.size = Some(size);
                }
                _ => {}
            }
        }
        Ok(())
    }
}
