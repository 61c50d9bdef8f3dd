//! `aldis restore`: puts a backup on the volume of an engine that does not run.

use std::{
    fs::File,
    io::{self, Read},
    path::PathBuf,
};

use super::{
    backup::STANDARD,
    run::STORE_FILE,
    store::{
        backup::{self, BackupError, Expected},
        swap,
    },
};
use crate::wire::ports;

/// Put a backup in the place of an engine's store, while no engine runs on it.
#[derive(Clone, Debug, clap::Args)]
pub struct RestoreArgs {
    /// The backup, or - for standard input. What was restored is told as a line of JSON on standard output.
    #[arg(long, required_unless_present = "remove_replaced")]
    pub from: Option<PathBuf>,
    /// Directory of the store.
    #[arg(long, default_value = ports::DATA_DIR)]
    pub data_dir: PathBuf,
    /// Replace the store that is there. It is kept in the folder before-restore beside it, from which --data-dir can take a backup.
    #[arg(long)]
    pub replace: bool,
    /// The number that the backup must be of. A store that is replaced must be of the backup's number and account anyway.
    #[arg(long)]
    pub number: Option<String>,
    /// Remove the store that an earlier restore replaced, and do nothing else. An engine may run.
    #[arg(long, conflicts_with_all = ["from", "replace", "number"])]
    pub remove_replaced: bool,
}

/// Restores a backup.
///
/// # Errors
/// When nothing was restored: the store is what it was before, but for [`BackupError::NotEnded`].
pub fn restore(args: &RestoreArgs) -> Result<(), BackupError> {
    let store = args.data_dir.join(STORE_FILE);
    let Some(from) = &args.from else {
        let was_there = swap::remove_replaced(&store)
            .map_err(|source| BackupError::File { path: args.data_dir.join(swap::BEFORE_RESTORE), source })?;
        println!("{}", serde_json::json!({ "removed": was_there }));
        return Ok(());
    };
    let expected = Expected { replace: args.replace, number: args.number.clone() };
    let restored = if from.as_os_str() == STANDARD {
        backup::restore(&store, &mut io::stdin().lock(), &expected)?
    } else {
        let mut file = File::open(from).map_err(BackupError::Read)?;
        backup::restore(&store, &mut file as &mut dyn Read, &expected)?
    };
    println!("{}", serde_json::to_string(&restored).map_err(|error| BackupError::Read(error.into()))?);
    Ok(())
}
