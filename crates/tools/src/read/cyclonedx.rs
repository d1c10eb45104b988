//! A bill of materials: CycloneDX as JSON. It has no findings; its components are counted.

use super::{
    OutputError,
    collector::Collector,
    scanner::{Scanner, Shape},
};
use serde::{Deserialize, de::IgnoredAny};
use std::io::BufRead;

/// The versions of the format whose `components` are what we count.
const VERSIONS: [&str; 7] = ["1.2", "1.3", "1.4", "1.5", "1.6", "1.7", "1.8"];

/// A component: only that it has a name is looked at.
#[derive(Deserialize)]
struct Component {
    name: String,
    #[serde(default)]
    components: Vec<Component>,
    #[serde(default, rename = "type")]
    _kind: Option<IgnoredAny>,
}

/// Reads `format = "cyclonedx"`.
pub(super) fn read(
    input: &mut dyn BufRead,
    collector: &mut Collector<'_>,
) -> Result<(), OutputError> {
    let mut scanner = Scanner::new(input)?;
    if scanner.shape()? != Shape::Object {
        return Err(missing("`bomFormat`"));
    }
    scanner.enter();
    let (mut format, mut version, mut components) = (None, None, None);
    let mut count = 0;
    while let Some(key) = scanner.key(count)? {
        count += 1;
        match key.as_str() {
            "bomFormat" => format = Some(scanner.value::<String>()?),
            "specVersion" => version = Some(scanner.value::<String>()?),
            "components" => components = Some(read_components(&mut scanner)?),
            _ => scanner.skip()?,
        }
    }
    scanner.end()?;
    if format.as_deref() != Some("CycloneDX") {
        return Err(missing("`bomFormat: CycloneDX`"));
    }
    let version = version.ok_or_else(|| missing("`specVersion`"))?;
    if !VERSIONS.contains(&version.as_str()) {
        let found = super::collector::cleaned(&version, 40);
        return Err(OutputError::Version { found, expected: "1.2 to 1.8" });
    }
    collector.reading.components = Some(components.ok_or_else(|| missing("`components`"))?);
    Ok(())
}

fn read_components(scanner: &mut Scanner<'_>) -> Result<u64, OutputError> {
    if scanner.shape()? != Shape::Array {
        return Err(missing("the list of components"));
    }
    scanner.enter();
    let (mut elements, mut all) = (0, 0);
    while scanner.element(elements)? {
        elements += 1;
        all += size(&scanner.value()?)?;
    }
    Ok(all)
}

fn size(component: &Component) -> Result<u64, OutputError> {
    if component.name.is_empty() {
        return Err(missing("the name of a component"));
    }
    component.components.iter().try_fold(1, |sum, inner| Ok(sum + size(inner)?))
}

fn missing(what: &str) -> OutputError {
    OutputError::NotIts { missing: what.to_owned() }
}
