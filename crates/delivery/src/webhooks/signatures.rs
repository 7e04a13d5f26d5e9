//! How receivers know who calls.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use perennial_core::error::{Error, Result};
use sha2::Sha256;

fn hmac_sha256(key: &str, text: &str) -> Result<Vec<u8>> {
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes());
    let mut mac = mac.map_err(|e| Error::bug(format!("a signature cannot be made: {e}")))?;
    mac.update(text.as_bytes());
    Ok(mac.finalize().into_bytes().to_vec())
}

/// Of 飞书: what others sign is the key, and nothing is signed with it. `timestamp` in seconds.
pub(super) fn feishu(secret: &str, timestamp: i64) -> Result<String> {
    Ok(STANDARD.encode(hmac_sha256(&format!("{timestamp}\n{secret}"), "")?))
}

/// Of 钉钉, not yet encoded for the URL. `timestamp` in milliseconds.
pub(super) fn dingtalk(secret: &str, timestamp: i64) -> Result<String> {
    Ok(STANDARD.encode(hmac_sha256(secret, &format!("{timestamp}\n{secret}"))?))
}

/// Of the generic format: over the time, a dot and the body, so that neither can be replaced.
pub(super) fn generic(secret: &str, timestamp: i64, body: &str) -> Result<String> {
    let bytes = hmac_sha256(secret, &format!("{timestamp}.{body}"))?;
    Ok(format!("sha256={}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first two were made by the vendors' own examples; the third by
    /// `printf '1600000000.{"a":1}' | openssl dgst -sha256 -hmac key`.
    #[test]
    fn signatures_are_those_of_the_vendors() {
        assert_eq!(feishu("demo", 1_599_360_473).unwrap(), "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=");
        let sign = dingtalk("SECdemo", 1_577_262_236_757).unwrap();
        let encoded: String = url::form_urlencoded::byte_serialize(sign.as_bytes()).collect();
        assert_eq!(encoded, "sLRlUUvzoOXn5DR%2F%2Bo%2Bs6tOqX%2BbWe3JGaZ7JQ7844l8%3D");
        let sign = generic("key", 1_600_000_000, "{\"a\":1}").unwrap();
        assert_eq!(sign, "sha256=31809093a123d444a3d7bb59940aa11befe074187e492b896741dd33282e2daa");
    }
}
