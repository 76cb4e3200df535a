//! Hexadecimal digits in keys.

use sha2::{Digest, Sha256};

/// SHA-256 in lower-case hexadecimal digits.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Decodes lower-case hexadecimal digits; `None` if there are other characters.
pub(crate) fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    hex::decode(digits).ok().filter(|_| !digits.iter().any(u8::is_ascii_uppercase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lower_case_digits_are_decoded() {
        assert_eq!(unhex(b"00abff"), Some(vec![0, 171, 255]));
        for other in [&b"0"[..], b"zz", b"00ABFF"] {
            assert_eq!(unhex(other), None);
        }
    }
}
