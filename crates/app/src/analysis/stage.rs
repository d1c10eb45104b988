//! Copies of files of the app, made for a tool that must not see the rest.

use super::{files::open_written, workplace::Corner};
use assay_tools::{Call, Staging};
use camino::Utf8Path;
use std::{
    fs,
    io::{self, Read as _},
};

/// Larger than any list of packages; a copy must not fill the disk.
const COPY_BYTES_MAX: u64 = 64 << 20;

/// Makes the copies of a call in its scratch folder, and says in the call what they leave out.
pub(crate) fn stage(call: &mut Call, corner: &Corner) -> io::Result<()> {
    for staging in &call.staged {
        if let Some(bytes) = read(staging, &corner.outside(&staging.from))? {
            let (copy, left_out) = staging.copy(bytes);
            fs::write(corner.outside(&staging.to), copy)?;
            call.left_out.extend(left_out);
        }
    }
    Ok(())
}

fn read(staging: &Staging, from: &Utf8Path) -> io::Result<Option<Vec<u8>>> {
    match read_file(from) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if staging.optional && error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn read_file(path: &Utf8Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_written(path.as_std_path())?.take(COPY_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > COPY_BYTES_MAX {
        return Err(io::Error::other(format!("`{path}` is larger than {COPY_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(folder.path()).unwrap();
        symlink("/etc/passwd", folder.join("package.json")).unwrap();
        assert!(read_file(&folder.join("package.json")).is_err());
        fs::write(folder.join("real.json"), "{}").unwrap();
        assert_eq!(read_file(&folder.join("real.json")).unwrap(), b"{}");
    }
}
