//! The key pair that signs the requests.

use std::fmt;
use std::path::PathBuf;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::shared::IntoShared;

use super::SourceError;

/// An S3 key pair.
#[derive(Clone, PartialEq, Eq)]
pub struct S3Credentials {
    /// Public half.
    pub access_key_id: String,
    /// Secret half.
    pub secret_access_key: String,
    /// Token of temporary credentials.
    pub session_token: Option<String>,
}

impl fmt::Debug for S3Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("S3Credentials(redacted)")
    }
}

/// A profile of the AWS files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Profile {
    /// Its name.
    pub name: String,
    /// The credentials file, if not `~/.aws/credentials`.
    pub credentials_file: Option<PathBuf>,
    /// The configuration file, if not `~/.aws/config`.
    pub config_file: Option<PathBuf>,
}

impl S3Credentials {
    /// A key pair without a session.
    pub fn new(access_key_id: impl Into<String>, secret_access_key: impl Into<String>) -> Self {
        Self { access_key_id: access_key_id.into(), secret_access_key: secret_access_key.into(), session_token: None }
    }

    /// The key pair that stands in a profile. A profile that assumes a role or signs on elsewhere is refused: the
    /// vendor's keys are no AWS keys, and no network service is asked for any.
    pub async fn of_profile(profile: &S3Profile) -> Result<Self, SourceError> {
        let files = [
            (EnvConfigFileKind::Credentials, &profile.credentials_file),
            (EnvConfigFileKind::Config, &profile.config_file),
        ];
        let builder = EnvConfigFiles::builder().include_default_credentials_file(profile.credentials_file.is_none());
        let builder = builder.include_default_config_file(profile.config_file.is_none());
        let builder = files
            .into_iter()
            .filter_map(|(kind, file)| file.as_ref().map(|file| (kind, file)))
            .fold(builder, |builder, (kind, file)| builder.with_file(kind, file));
        let provider = ProfileFileCredentialsProvider::builder()
            .configure(
                &ProviderConfig::without_region().with_http_client(http_client_fn(|_, _| NoNetwork.into_shared())),
            )
            .profile_name(&profile.name)
            .profile_files(builder.build())
            .build();
        let found = provider.provide_credentials().await.map_err(|error| Self::refused(&profile.name, error))?;
        Ok(Self {
            access_key_id: found.access_key_id().to_owned(),
            secret_access_key: found.secret_access_key().to_owned(),
            session_token: found.session_token().map(str::to_owned),
        })
    }

    fn refused(profile: &str, error: CredentialsError) -> SourceError {
        let detail = match (profile, error) {
            ("default", CredentialsError::CredentialsNotLoaded(_)) => "there are no S3 credentials".to_owned(),
            (name, CredentialsError::CredentialsNotLoaded(_)) => format!("the AWS profile `{name}` has no access key"),
            (name, error) => {
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
                format!("the AWS profile `{name}` cannot be used: {error}{cause}")
            }
        };
        SourceError::Credentials { detail }
    }
}

/// Refuses every connection: a key pair stands in a file, or there is none.
#[derive(Debug)]
struct NoNetwork;

impl HttpConnector for NoNetwork {
    fn call(&self, _request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(Err(ConnectorError::user(
            "profiles that ask a service for keys are not used".into(),
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# keys\n[default]\naws_access_key_id = AKDEFAULT\naws_secret_access_key=sdefault\n\n\
        [team]\naws_access_key_id=AKTEAM\naws_secret_access_key = s=team/+ \naws_session_token=t\nregion = x\n\
        [half]\naws_access_key_id=AK\n[role]\nrole_arn=arn:aws:iam::1:role/r\nsource_profile=default\n";

    async fn resolve(name: &str, text: &str) -> Result<S3Credentials, SourceError> {
        let home = tempfile::tempdir().unwrap();
        let (credentials, config) = (home.path().join("credentials"), home.path().join("config"));
        std::fs::write(&credentials, text).unwrap();
        std::fs::write(&config, "[profile conf]\naws_access_key_id=AKCONF\naws_secret_access_key=c\n").unwrap();
        let profile =
            S3Profile { name: name.to_owned(), credentials_file: Some(credentials), config_file: Some(config) };
        S3Credentials::of_profile(&profile).await
    }

    #[tokio::test]
    async fn profiles_are_read_from_both_files() {
        assert_eq!(resolve("default", FILE).await.unwrap(), S3Credentials::new("AKDEFAULT", "sdefault"));
        let team = resolve("team", FILE).await.unwrap();
        assert_eq!((&*team.access_key_id, &*team.secret_access_key), ("AKTEAM", "s=team/+"));
        assert_eq!(team.session_token.as_deref(), Some("t"));
        assert_eq!(resolve("conf", FILE).await.unwrap().access_key_id, "AKCONF");
    }

    #[tokio::test]
    async fn what_is_missing_is_said() {
        for (name, text, words) in [
            ("default", "", "there are no S3 credentials"),
            ("nobody", FILE, "`nobody`"),
            ("half", FILE, "`half`"),
            ("role", FILE, "`role`"),
        ] {
            let error = resolve(name, text).await.unwrap_err();
            assert!(matches!(error, SourceError::Credentials { .. }) && error.is_common_cause(), "{error:?}");
            let said = error.to_string();
            assert!(said.contains(words) && said.contains("MASSIVE_S3_ACCESS_KEY_ID"), "{name}: {said}");
            assert!(!said.contains("sdefault") && !said.contains("s=team"), "{said}");
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        let text = format!("{:?}", S3Credentials::new("AKVISIBLE", "topsecret"));
        assert!(!text.contains("topsecret") && !text.contains("AKVISIBLE"), "{text}");
    }
}
