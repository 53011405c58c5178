//! Which key pair signs the requests: given, from the environment, or from a profile file. Nothing here ever asks a
//! network service for one.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

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

impl S3Credentials {
    /// A key pair without a session.
    pub fn new(access_key_id: impl Into<String>, secret_access_key: impl Into<String>) -> Self {
        Self { access_key_id: access_key_id.into(), secret_access_key: secret_access_key.into(), session_token: None }
    }

    /// The key pair to use: the one given, else `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` (and
    /// `AWS_SESSION_TOKEN`) of the environment, else a profile's: the one named, else `AWS_PROFILE`, else `default`.
    pub fn resolve(
        given: Option<Self>,
        profile: Option<&str>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, SourceError> {
        let variable = |name: &str| environment(name).filter(|value| !value.is_empty());
        if let Some(given) = given {
            return Ok(given);
        }
        match (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) {
            (Some(access_key_id), Some(secret_access_key)) => {
                let session_token = variable("AWS_SESSION_TOKEN");
                return Ok(Self { access_key_id, secret_access_key, session_token });
            }
            (Some(_), None) => return Err(refused("AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not")),
            (None, Some(_)) => return Err(refused("AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not")),
            (None, None) => {}
        }
        let asked = profile.map(str::to_owned).or_else(|| variable("AWS_PROFILE"));
        let name = asked.as_deref().unwrap_or("default");
        for (path, heading) in profile_files(name, &variable) {
            let text = match fs::read_to_string(&path) {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(SourceError::disk(&path, error)),
            };
            if let Some(found) = in_profile(&text, &heading, &path)? {
                return Ok(found);
            }
        }
        Err(match asked {
            Some(name) => refused(&format!("the AWS profile `{name}` has no access key")),
            None => refused("there are no S3 credentials"),
        })
    }
}

fn refused(detail: &str) -> SourceError {
    SourceError::Credentials { detail: detail.to_owned() }
}

/// The files a profile can be in, and what its section is called there.
fn profile_files(name: &str, variable: &dyn Fn(&str) -> Option<String>) -> Vec<(PathBuf, String)> {
    let home = variable("HOME").or_else(|| variable("USERPROFILE")).map(PathBuf::from);
    let file = |set_by: &str, usual: &str| {
        variable(set_by).map(PathBuf::from).or_else(|| Some(home.as_ref()?.join(".aws").join(usual)))
    };
    let in_config = if name == "default" { name.to_owned() } else { format!("profile {name}") };
    let credentials = file("AWS_SHARED_CREDENTIALS_FILE", "credentials").map(|path| (path, name.to_owned()));
    let config = file("AWS_CONFIG_FILE", "config").map(|path| (path, in_config));
    credentials.into_iter().chain(config).collect()
}

/// The key pair in a section of a profile file; `None` if the section is missing or has no key pair of its own (one
/// that assumes a role or signs on by browser is of no use here).
fn in_profile(text: &str, heading: &str, path: &Path) -> Result<Option<S3Credentials>, SourceError> {
    let (mut inside, mut id, mut secret, mut token) = (false, None, None, None);
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.split(']').next().unwrap_or_default();
            inside = section.split_whitespace().eq(heading.split_whitespace());
        } else if let (true, Some((name, value))) = (inside, line.split_once('=')) {
            let value = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
            match name.trim() {
                "aws_access_key_id" => id = value,
                "aws_secret_access_key" => secret = value,
                "aws_session_token" => token = value,
                _ => {}
            }
        }
    }
    match (id, secret) {
        (Some(access_key_id), Some(secret_access_key)) => {
            Ok(Some(S3Credentials { access_key_id, secret_access_key, session_token: token }))
        }
        (None, None) => Ok(None),
        _ => Err(refused(&format!("[{heading}] in {} has only half of a key pair", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# keys\n[default]\naws_access_key_id = AKDEFAULT\naws_secret_access_key=sdefault\n\n\
        [ team ] ; ours\n aws_access_key_id=AKTEAM\naws_secret_access_key = s=team/+ \naws_session_token=t\nregion = x\n\
        [half]\naws_access_key_id=AK\n[sso]\nsso_session = corp\n";

    struct Machine {
        home: tempfile::TempDir,
        variables: Vec<(&'static str, String)>,
    }

    impl Machine {
        fn new(variables: &[(&'static str, &str)]) -> Self {
            let home = tempfile::tempdir().unwrap();
            fs::create_dir(home.path().join(".aws")).unwrap();
            fs::write(home.path().join(".aws/credentials"), FILE).unwrap();
            fs::write(
                home.path().join(".aws/config"),
                "[profile conf]\naws_access_key_id=AKCONF\naws_secret_access_key=c\n",
            )
            .unwrap();
            Self { home, variables: variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect() }
        }

        fn resolve(&self, given: Option<S3Credentials>, profile: Option<&str>) -> Result<S3Credentials, SourceError> {
            S3Credentials::resolve(given, profile, &|name| match name {
                "HOME" => Some(self.home.path().to_str().unwrap().to_owned()),
                _ => self.variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone()),
            })
        }
    }

    #[test]
    fn given_before_environment_before_profile() {
        let aws = [("AWS_ACCESS_KEY_ID", "AKENV"), ("AWS_SECRET_ACCESS_KEY", "senv"), ("AWS_SESSION_TOKEN", "tenv")];
        let machine = Machine::new(&aws);
        let given = S3Credentials::new("AKGIVEN", "sgiven");
        assert_eq!(machine.resolve(Some(given.clone()), Some("team")).unwrap(), given);
        let environment = machine.resolve(None, Some("team")).unwrap();
        assert_eq!((&*environment.access_key_id, environment.session_token.as_deref()), ("AKENV", Some("tenv")));

        let machine = Machine::new(&[("AWS_PROFILE", "team")]);
        let team = machine.resolve(None, None).unwrap();
        assert_eq!((&*team.access_key_id, &*team.secret_access_key), ("AKTEAM", "s=team/+"));
        assert_eq!(team.session_token.as_deref(), Some("t"));
        assert_eq!(machine.resolve(None, Some("conf")).unwrap().access_key_id, "AKCONF");
        let empty_is_unset = Machine::new(&[("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")]);
        assert_eq!(empty_is_unset.resolve(None, None).unwrap().access_key_id, "AKDEFAULT");
    }

    #[test]
    fn what_is_missing_is_said() {
        let half = Machine::new(&[("AWS_ACCESS_KEY_ID", "AK")]);
        let bare = Machine::new(&[]);
        fs::remove_file(bare.home.path().join(".aws/credentials")).unwrap();
        let machine = Machine::new(&[]);
        for (result, words) in [
            (half.resolve(None, None), "AWS_SECRET_ACCESS_KEY is not"),
            (bare.resolve(None, None), "there are no S3 credentials"),
            (machine.resolve(None, Some("nobody")), "`nobody`"),
            (machine.resolve(None, Some("half")), "half of a key pair"),
            (machine.resolve(None, Some("sso")), "`sso`"),
        ] {
            let error = result.unwrap_err();
            assert!(matches!(error, SourceError::Credentials { .. }) && error.is_common_cause(), "{error:?}");
            let text = error.to_string();
            assert!(text.contains(words) && text.contains("MASSIVE_S3_ACCESS_KEY_ID"), "{text}");
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        let text = format!("{:?}", S3Credentials::new("AKVISIBLE", "topsecret"));
        assert!(!text.contains("topsecret") && !text.contains("AKVISIBLE"), "{text}");
    }
}
