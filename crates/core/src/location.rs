//! Locations: paths and URLs that say where a source or a lake is.

use crate::error::{Error, Result};

/// Where the password of a source belongs.
pub const PASSWORD_HINT: &str =
    "remove it, and write `password: ${NAME}` (an environment variable) or `password_file: ...` next to `location`";

/// Where the credentials of an object store belong.
pub const ACCESS_KEYS_HINT: &str = "set access keys in the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, ...)";

/// The scheme of a URL, in lower case; `None` for a path.
pub fn scheme(location: &str) -> Option<String> {
    let (scheme, _) = location.split_once("://")?;
    let valid = !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    valid.then(|| scheme.to_ascii_lowercase())
}

/// Whether a URL contains a password, as in `mysql://user:password@host`.
pub fn has_password(location: &str) -> bool {
    let Some((_, rest)) = location.split_once("://") else { return false };
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}

/// Refuses a location that contains a password: locations are shown in messages and kept in files. `hint` says where
/// the password belongs.
///
/// # Errors
/// Of kind `Project`; the location is not shown.
pub fn forbid_password(location: &str, hint: &str) -> Result<()> {
    if has_password(location) {
        return Err(Error::project("the location contains a password").hint(hint));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_no_scheme() {
        assert_eq!(scheme("S3://bucket/prefix").as_deref(), Some("s3"));
        assert_eq!(scheme("/data/in"), None);
        assert_eq!(scheme("a b://x"), None);
        assert_eq!(scheme("://x"), None);
    }

    #[test]
    fn passwords_are_found_wherever_a_url_has_one() {
        for location in ["mysql://u:p@db/shop", "postgresql://u:p@/shop?host=/run", "https://:p@host", "s3://a:b@c@d/x"]
        {
            assert!(has_password(location), "{location}");
            let error = forbid_password(location, "use `password`").unwrap_err();
            assert!(!error.to_string().contains(location), "{error}");
        }
        for location in ["mysql://u@db:3306/shop", "https://host/a:b@c", "/data/a:b@c", "sftp://[::1]:22/x?y=a:b@c"] {
            assert!(!has_password(location), "{location}");
        }
    }
}
