//! The helpers' image: this program, and the libraries that it has loaded.

use std::{collections::HashMap, env, fmt::Write, fs, io, path::PathBuf};

use super::{
    engine::{Engine, code, failed, refuse},
    filter, image,
};
use crate::platform::PlatformError;

/// The repository of what we build.
const REPOSITORY: &str = "zonedrill/link-filter";
/// The program, as it is read: also where its file was replaced since it began.
const PROGRAM: &str = "/proc/self/exe";
/// Counts how our images are built: another number makes another image of the same program.
const RECIPE: u8 = 1;
/// The digits of a digest that a tag shows.
const DIGITS: usize = 12;

/// Finds or builds it; its name.
///
/// # Errors
/// Where this program cannot run in the engine's containers, or no image can be built.
pub async fn ready(engine: &Engine) -> Result<String, PlatformError> {
    let here = match env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    if !cfg!(target_os = "linux") || here != engine.machine {
        return Err(refuse(format!(
            "links of containers are impaired by this program in a helper container, and it is made for {here} ({}), the engine runs on {}: `zonedrill up --platform local` impairs links here",
            env::consts::OS,
            engine.machine
        )));
    }
    let io = |error| PlatformError::io("read the program", PROGRAM.as_ref(), error);
    let libraries = libraries().map_err(io)?;
    let digest = mark(&libraries).map_err(io)?;
    let name = format!("{REPOSITORY}:{}-{}-{RECIPE}", env!("CARGO_PKG_VERSION"), &digest[..DIGITS]);
    match engine.docker.inspect_image(&name).await {
        Ok(_) => return Ok(name),
        Err(error) if code(&error) == Some(404) => {}
        Err(error) => return Err(failed("look for the helpers' image", &error)),
    }
    let packed = tokio::task::spawn_blocking(move || context(&libraries));
    let packed = packed.await.map_err(io::Error::other).flatten().map_err(io)?;
    image::build(engine, &name, packed, &HashMap::new(), &|_| {}).await?;
    Ok(name)
}

/// What tells one build of the program from another without reading all of it.
fn mark(libraries: &[PathBuf]) -> io::Result<String> {
    let mut text = String::new();
    for path in libraries.iter().map(PathBuf::as_path).chain([PROGRAM.as_ref()]) {
        let about = fs::metadata(path)?;
        let _ = writeln!(text, "{} {} {:?}", path.display(), about.len(), about.modified()?);
    }
    Ok(image::digest(text.as_bytes()))
}

/// The shared libraries that are loaded in this process.
fn libraries() -> io::Result<Vec<PathBuf>> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    let mut paths: Vec<PathBuf> = maps
        .lines()
        .filter_map(|line| line.find('/').map(|at| PathBuf::from(&line[at..])))
        .filter(|path| path.file_name().is_some_and(|n| n.to_string_lossy().contains(".so")))
        .collect();
    paths.sort();
    paths.dedup();
    Ok(paths)
}

/// What the engine builds from.
fn context(libraries: &[PathBuf]) -> io::Result<Vec<u8>> {
    let mut program = fs::read(PROGRAM)?;
    let loader = trim(&mut program);
    let mut folders: Vec<String> =
        libraries.iter().filter_map(|path| Some(path.parent()?.display().to_string())).collect();
    folders.dedup();
    let dockerfile = format!(
        "FROM scratch\nCOPY root /\nENV LD_LIBRARY_PATH={}\nENTRYPOINT [\"/zonedrill\", \"{}\"]\n",
        folders.join(":"),
        filter::SUBCOMMAND
    );
    let mut tar = tar::Builder::new(Vec::with_capacity(program.len() + (1 << 22)));
    image::append(&mut tar, "Dockerfile", 0o644, dockerfile.as_bytes())?;
    image::append(&mut tar, "root/zonedrill", 0o755, &program)?;
    for path in libraries.iter().chain(&loader) {
        let inside = format!("root{}", path.display());
        image::append(&mut tar, &inside, 0o755, &fs::read(path)?)?;
    }
    tar.into_inner()
}

/// Cuts off what is not loaded when the program runs, such as what debuggers read; and the loader
/// that it asks for, if it does.
fn trim(program: &mut Vec<u8>) -> Option<PathBuf> {
    const LOADED: u64 = 1;
    const INTERPRETER: u64 = 3;
    let number = |bytes: &[u8], at: usize, count: usize| {
        let field = bytes.get(at..at.checked_add(count)?)?;
        Some(field.iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte)))
    };
    let table = number(program, 32, 8)?;
    let (size, count) = (number(program, 54, 2)?, number(program, 56, 2)?);
    let (mut end, mut loader) = (table.checked_add(size * count)?, None);
    for i in 0..count {
        let at = usize::try_from(table.checked_add(i * size)?).ok()?;
        let (kind, from) = (number(program, at, 4)?, number(program, at.checked_add(8)?, 8)?);
        let to = from.checked_add(number(program, at.checked_add(32)?, 8)?)?;
        if kind == LOADED {
            end = end.max(to);
        }
        if kind == INTERPRETER {
            let (from, to) = (usize::try_from(from).ok()?, usize::try_from(to).ok()?);
            let path = program.get(from..to)?.split(|byte| *byte == 0).next()?;
            loader = Some(PathBuf::from(String::from_utf8_lossy(path).into_owned()));
        }
    }
    program.truncate(usize::try_from(end).ok()?);
    // It has no table of sections any more.
    for field in [40..48, 58..64] {
        program.get_mut(field)?.fill(0);
    }
    loader
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{os::unix::fs::PermissionsExt, process::Command};

    use super::*;

    /// What is cut off is not needed: the rest runs.
    #[test]
    fn the_program_runs_without_what_only_debuggers_read() {
        let mut program = fs::read(PROGRAM).unwrap();
        let before = program.len();
        let loader = trim(&mut program);
        assert!(program.len() <= before);
        assert!(loader.is_none_or(|path| path.exists()));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trimmed");
        fs::write(&path, &program).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let ran = Command::new(&path).args(["--list", "no such test"]).output().unwrap();
        assert!(ran.status.success(), "{ran:?}");
    }

    #[test]
    fn what_is_no_program_is_left_alone() {
        for bytes in [Vec::new(), vec![0; 20], vec![0xff; 70]] {
            let mut same = bytes.clone();
            assert_eq!(trim(&mut same), None);
        }
    }

    #[test]
    fn the_libraries_are_files() {
        assert!(libraries().unwrap().iter().all(|path| path.is_file()));
    }
}
