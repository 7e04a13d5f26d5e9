//! Object stores by their location. Credentials and endpoints come from the environment (`AWS_ENDPOINT_URL`, ...).

use crate::error::{Error, Result};
use crate::location::{forbid_credentials, scrub};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreScheme, RetryConfig};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Attempts after the first of a request.
const MAX_RETRIES: usize = 4;
/// After so long no further attempt begins.
const RETRY_TIMEOUT: Duration = Duration::from_secs(30);

/// The store of a location (`s3://bucket/prefix`) and the prefix in it.
///
/// # Errors
/// Of kind `Project` when the location names no store, or contains credentials.
pub fn open(location: &str) -> Result<(Arc<dyn ObjectStore>, Path)> {
    forbid_credentials(location)?;
    let wrong = |text: String| Error::project(format!("`{location}` cannot be opened: {}", scrub(&text)));
    let url = Url::parse(location).map_err(|e| wrong(e.to_string()))?;
    let (scheme, prefix) = ObjectStoreScheme::parse(&url).map_err(|e| wrong(e.to_string()))?;
    let retry = RetryConfig { max_retries: MAX_RETRIES, retry_timeout: RETRY_TIMEOUT, ..RetryConfig::default() };
    let opened: object_store::Result<Arc<dyn ObjectStore>> = match scheme {
        ObjectStoreScheme::AmazonS3 => {
            let builder = AmazonS3Builder::from_env().with_url(location).with_retry(retry);
            builder.build().map(|store| Arc::new(store) as _)
        }
        ObjectStoreScheme::GoogleCloudStorage => {
            let builder = GoogleCloudStorageBuilder::from_env().with_url(location).with_retry(retry);
            builder.build().map(|store| Arc::new(store) as _)
        }
        ObjectStoreScheme::MicrosoftAzure => {
            let builder = MicrosoftAzureBuilder::from_env().with_url(location).with_retry(retry);
            builder.build().map(|store| Arc::new(store) as _)
        }
        _ => {
            let error = Error::project(format!("`{location}` is not in an object store"));
            return Err(error.hint("write `s3://`, `gs://` or `az://`, with the bucket and a path in it"));
        }
    };
    Ok((opened.map_err(|e| wrong(e.to_string()).because(e))?, prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_object_stores_are_opened() {
        for location in ["/data", "http://host/x", "file:///data", "s3://u:p4ssword@bucket/x", "s3://b/x?sig=s3cret"] {
            let error = open(location).unwrap_err();
            assert!(!error.to_string().contains("p4ssword") && !error.to_string().contains("s3cret"), "{error}");
        }
    }
}
