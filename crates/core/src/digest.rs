//! The one hash of things that are named by what they hold: definitions, contracts, pages.

/// BLAKE3 over parts, each with its length in front, in hexadecimal; so that `["ab", "c"]` and `["a", "bc"]` differ.
///
/// ```
/// use perennial_core::digest::digest;
/// assert_eq!(digest(["ab", "c"]).len(), 64);
/// assert_ne!(digest(["ab", "c"]), digest(["a", "bc"]));
/// ```
pub fn digest<T: AsRef<[u8]>>(parts: impl IntoIterator<Item = T>) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.as_ref().len() as u64).to_le_bytes());
        hasher.update(part.as_ref());
    }
    hasher.finalize().to_hex().to_string()
}
