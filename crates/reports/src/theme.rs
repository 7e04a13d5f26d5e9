//! Company style: the accent, a logo, a font.

use base64::Engine;
use perennial_core::error::{Error, Place, Result};
use perennial_core::regular_file;
use perennial_project::Theme;
use std::path::Path;

/// The accent where a project names none.
const ACCENT: &str = "#1f5f8b";

/// The style of a company, read and checked.
#[derive(Clone, Debug)]
pub(crate) struct Style {
    /// `#rrggbb`.
    pub accent: String,
    /// A family that readers or the system have, before our own.
    pub font: Option<String>,
    /// The logo.
    pub logo: Option<Logo>,
}

/// A picture file.
#[derive(Clone, Debug)]
pub(crate) struct Logo {
    /// Whether it is an SVG; else it is a PNG.
    pub is_svg: bool,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Default for Style {
    fn default() -> Style {
        Style { accent: ACCENT.into(), font: None, logo: None }
    }
}

impl Style {
    /// Reads what a theme names; paths lie below the project's folder.
    pub(crate) fn read(theme: &Theme, root: &Path) -> Result<Style> {
        let accent = theme.accent.clone().unwrap_or_else(|| ACCENT.into());
        let digits = accent.strip_prefix('#').unwrap_or_default();
        if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            let message = format!("`{accent}` is not a colour");
            let error = Error::project(message).at(Place::Whole("perennial.yml".into()));
            return Err(error.hint("write it as `#1f5f8b`"));
        }
        let logo = theme.logo.as_ref().map(|path| Logo::read(path, root)).transpose()?;
        Ok(Style { accent, font: theme.font.clone(), logo })
    }
}

impl Logo {
    fn read(path: &Path, root: &Path) -> Result<Logo> {
        let shown = path.display().to_string();
        let bytes = regular_file::read(&root.join(path))
            .map_err(|e| Error::project(format!("cannot read the logo {shown}: {e}")).because(e))?;
        match path.extension().and_then(|e| e.to_str()) {
            Some("svg") => Ok(Logo { is_svg: true, bytes }),
            Some("png") => Ok(Logo { is_svg: false, bytes }),
            _ => Err(Error::project(format!("the logo {shown} is neither .svg nor .png"))),
        }
    }

    /// The logo as a URL that contains it.
    pub(crate) fn data_url(&self) -> String {
        let kind = if self.is_svg { "image/svg+xml" } else { "image/png" };
        format!("data:{kind};base64,{}", base64::engine::general_purpose::STANDARD.encode(&self.bytes))
    }
}
