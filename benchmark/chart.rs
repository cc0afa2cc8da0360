//! Draws a bar chart of init and the first response, each function beside its baselines, as SVG.

use std::fs;

use local::{Result, tools};

use crate::cases::{BASELINE, MINIMUM};

/// The medians of one program, in milliseconds.
pub(crate) struct Bar<'a> {
    pub(crate) name: &'a str,
    pub(crate) init: f64,
    /// Init and the first response together.
    pub(crate) both: f64,
}

/// The width of the longest bar. Names are to the left of the bars, and times to the right.
const LONGEST: f64 = 540.0;

/// Writes the chart to a file of the repository.
pub(crate) fn write(path: &str, settings: &[(&str, Vec<Bar<'_>>)]) -> Result<()> {
    fs::write(tools::workspace().join(path), draw(settings))
        .map_err(|error| format!("{path}: {error}"))
}

/// Draws one group of bars for each setting.
fn draw(settings: &[(&str, Vec<Bar<'_>>)]) -> String {
    let bars = settings.iter().flat_map(|(_, bars)| bars);
    let scale = LONGEST / bars.map(|bar| bar.both).fold(f64::MIN_POSITIVE, f64::max);
    let mut shapes = String::new();
    let mut y = 20;
    for (setting, bars) in settings {
        shapes += &format!("<text x='170' y='{y}' font-weight='bold'>{setting}</text>\n");
        y += 8;
        for Bar { name, init, both } in bars {
            let is_function = !name.starts_with(BASELINE) && !name.starts_with(MINIMUM);
            let colour = if is_function { "#2471a3" } else { "#7f8c8d" };
            let (init, end) = (init * scale, both * scale);
            shapes += &format!(
                "<text x='162' y='{text}' text-anchor='end'>{name}</text>\n\
                 <g fill='{colour}'><rect x='170' y='{y}' width='{end:.0}' height='14' opacity='0.5'/>\
                 <rect x='170' y='{y}' width='{init:.0}' height='14'/></g>\n\
                 <text x='{right:.0}' y='{text}'>{both:.1} ms</text>\n",
                text = y + 11,
                right = 176.0 + end,
            );
            // A function follows its baselines closely.
            y += if is_function { 24 } else { 16 };
        }
        y += 24;
    }
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 780 {y}' font-family='sans-serif' font-size='12'>\n\
         <rect width='780' height='{y}' fill='white'/>\n{shapes}\
         <text x='170' y='{caption}'>Dark: init. Light: first response. Medians.</text>\n</svg>\n",
        caption = y - 12,
    )
}
