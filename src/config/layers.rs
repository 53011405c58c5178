//! What settings are made from.

use std::path::{Path, PathBuf};
use std::thread;

use etcetera::base_strategy::{BaseStrategy, Xdg};
use jiff::Timestamp;

use super::{ConfigError, Secret, SettingsFile, Variables};

/// Settings given as flags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--database-url`; not shown, as people put passwords into such addresses.
    pub database_url: Option<Secret>,
    /// `--config`: the settings file to read.
    pub config: Option<PathBuf>,
    /// `--source`.
    pub source: Option<PathBuf>,
    /// `--cache-dir`.
    pub cache_dir: Option<PathBuf>,
    /// `--cache-keep`.
    pub cache_keep: Option<String>,
    /// `--downloads`.
    pub downloads: Option<u64>,
    /// `--decoders`.
    pub decoders: Option<u64>,
    /// `--rate`.
    pub rate: Option<String>,
    /// `--overrides`.
    pub split_overrides: Option<PathBuf>,
}

/// The user's directories, by the XDG rules on every system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directories {
    /// What `~` stands for.
    pub home: PathBuf,
    /// Where settings are.
    pub config: PathBuf,
    /// Where data is kept.
    pub data: PathBuf,
    /// Where data is kept that can be fetched again.
    pub cache: PathBuf,
}

impl Directories {
    /// Those of the user; `None` when there is no home directory, which matters only if one of them is needed.
    pub fn of_user() -> Option<Self> {
        let xdg = Xdg::new().ok()?;
        Some(Self {
            home: xdg.home_dir().to_owned(),
            config: xdg.config_dir(),
            data: xdg.data_dir(),
            cache: xdg.cache_dir(),
        })
    }
}

/// Everything settings are made from, so that nothing is read from the process while they are.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// Flags.
    pub flags: Flags,
    /// The process environment.
    pub environment: Variables,
    /// The `.env` file of the working directory.
    pub dotenv: Variables,
    /// Where that is, if it is there.
    pub dotenv_file: Option<PathBuf>,
    /// The settings file.
    pub file: Option<SettingsFile>,
    /// The file of split overrides beside the settings file, if there is one.
    pub overrides_beside: Option<PathBuf>,
    /// The user's directories.
    pub directories: Option<Directories>,
    /// Processor cores.
    pub cores: usize,
    /// The system clock.
    pub clock: Timestamp,
}

impl Inputs {
    /// Reads the environment, `.env` and the settings file for a process with these flags.
    pub fn gather(flags: Flags, working_dir: &Path) -> Result<Self, ConfigError> {
        let directories = Directories::of_user();
        let config_dir = directories.as_ref().map(|directories| directories.config.as_path());
        let file = SettingsFile::find(flags.config.as_deref(), working_dir, config_dir)?;
        let dotenv_file = working_dir.join(".env");
        Ok(Self {
            environment: Variables::of_process()?,
            dotenv: Variables::of_dotenv(&dotenv_file)?,
            dotenv_file: dotenv_file.exists().then_some(dotenv_file),
            overrides_beside: overrides_beside(file.as_ref(), working_dir, config_dir),
            file,
            flags,
            directories,
            cores: thread::available_parallelism().map_or(1, usize::from),
            clock: Timestamp::now(),
        })
    }
}

/// `splits.csv` beside the settings file; without one, where a settings file would be looked for.
fn overrides_beside(file: Option<&SettingsFile>, working_dir: &Path, config_dir: Option<&Path>) -> Option<PathBuf> {
    let folders = match file {
        Some(file) => vec![file.path.parent()?.to_owned()],
        None => [Some(working_dir), config_dir].into_iter().flatten().map(|folder| folder.join("barkeep")).collect(),
    };
    folders.into_iter().map(|folder| folder.join("splits.csv")).find(|path| path.exists())
}
