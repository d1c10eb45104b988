//! A plot of a few series, as SVG that is read on white and on black.
//!
//! Owns the axes, their ticks and the colours. Does not: know what the series are.

use std::{fmt::Write, ops::Range};

/// What is drawn. Every series has a value for each index.
pub(crate) struct Plot<'a> {
    pub(crate) title: &'a str,
    pub(crate) x_axis: &'a str,
    pub(crate) scale: Scale,
    pub(crate) mark: Mark,
    /// A part of the x axis that is shaded, and what it is.
    pub(crate) shaded: (Range<f64>, &'a str),
    pub(crate) series: Vec<(&'a str, Vec<f64>)>,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Scale {
    Linear,
    /// From this power of ten on.
    Log(f64),
}

/// Lines for what goes on in time, dots for what stands side by side.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Mark {
    Line,
    Dots,
}

/// The plot brings its background along, so that it is read on any page.
const STYLE: &str = "<style>\
    svg{--back:#ffffff;--text:#424a53;--grid:#d8dee4;--shade:#f0f3f6;--a:#0550ae;--b:#bc4c00;--c:#57606a}\
    @media(prefers-color-scheme:dark){svg{--back:#0d1117;--text:#b1bac4;--grid:#30363d;--shade:#1b222b;\
    --a:#79c0ff;--b:#ffa657;--c:#c9d1d9}}\
    .a{color:var(--a)}.b{color:var(--b)}.c{color:var(--c)}\
    text{fill:var(--text)}path.grid{stroke:var(--grid)}\
    .a text,.b text,.c text{fill:currentColor}\
    .mark{fill:none;stroke:currentColor;stroke-width:2}.c .mark{stroke-width:1.2}</style>";
const CLASSES: [&str; 3] = ["a", "b", "c"];

/// The place of the axes in a picture of 720 by 300.
const LEFT: f64 = 64.0;
const TOP: f64 = 56.0;
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 196.0;

/// One, two or five times a power of ten: at most five of them reach `most`.
fn step(most: f64) -> f64 {
    let power = 10_f64.powf((most / 5.0).log10().floor());
    let times = [1.0, 2.0, 5.0].into_iter().find(|times| most / (times * power) <= 5.0);
    times.unwrap_or(10.0) * power
}

/// Whole, with a comma between thousands.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

// === impl Plot ===

impl Plot<'_> {
    fn points(&self) -> f64 {
        let most = self.series.iter().map(|(_, values)| values.len()).max().unwrap_or(0);
        f64::from(u32::try_from(most).expect("some hundred points"))
    }

    fn x(&self, at: f64) -> f64 {
        LEFT + WIDTH * (at + 0.5) / self.points()
    }

    /// The values that have a line of their own, lowest first.
    fn ticks(&self) -> Vec<f64> {
        let most = self.series.iter().flat_map(|(_, values)| values).copied().fold(1.0, f64::max);
        let (first, next): (f64, Box<dyn Fn(f64) -> f64>) = match self.scale {
            Scale::Linear => (0.0, Box::new(move |tick| tick + step(most))),
            Scale::Log(first) => (first, Box::new(|tick| tick * 10.0)),
        };
        let mut ticks = vec![first];
        while ticks[ticks.len() - 1] < most {
            ticks.push(next(ticks[ticks.len() - 1]));
        }
        ticks
    }

    pub(crate) fn draw(&self) -> String {
        let ticks = self.ticks();
        let (low, high) = (ticks[0], ticks[ticks.len() - 1]);
        let scale = self.scale;
        let y = move |value: f64| {
            let share = match scale {
                Scale::Linear => (value - low) / (high - low),
                Scale::Log(_) => (value.max(low) / low).log10() / (high / low).log10(),
            };
            TOP + HEIGHT * (1.0 - share)
        };
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 300\" role=\"img\" \
             font-family=\"system-ui, sans-serif\" font-size=\"12\">\n{STYLE}\n<title>{title}</title>\n\
             <rect width=\"720\" height=\"300\" rx=\"6\" style=\"fill:var(--back)\"/>\n\
             <text x=\"12\" y=\"20\" font-size=\"14\" font-weight=\"600\">{title}</text>\n",
            title = self.title
        );
        self.draw_axes(&mut svg, &ticks, &y);
        // Ours is the first, and is drawn over the others.
        for (nth, (name, values)) in self.series.iter().enumerate().rev() {
            let legend = LEFT + 150.0 * [0.0, 1.0, 2.0][nth];
            let _ = writeln!(
                svg,
                "<g class=\"{}\"><path class=\"mark\" d=\"M{legend} 40h18\"/>\
                 <text x=\"{}\" y=\"44\">{name}</text>{}</g>",
                CLASSES[nth],
                legend + 24.0,
                self.drawn(values, &y)
            );
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn draw_axes(&self, svg: &mut String, ticks: &[f64], y: &dyn Fn(f64) -> f64) {
        let bottom = TOP + HEIGHT;
        let (part, what) = &self.shaded;
        let (from, to) = (self.x(part.start - 0.5), self.x(part.end - 0.5));
        let _ = writeln!(
            svg,
            "<rect x=\"{from:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{HEIGHT}\" style=\"fill:var(--shade)\"/>\
             <text x=\"{:.1}\" y=\"{}\">{what}</text>",
            to - from,
            from + 6.0,
            TOP + 15.0
        );
        for tick in ticks {
            let at = y(*tick);
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{LEFT} {at:.1}h{WIDTH}\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                at + 4.0,
                grouped(*tick)
            );
        }
        let every = step(self.points());
        let mut tick = 0.0;
        while tick < self.points() {
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                self.x(tick),
                bottom + 16.0,
                grouped(tick)
            );
            tick += every;
        }
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            LEFT + WIDTH,
            bottom + 34.0,
            self.x_axis
        );
    }

    /// One path: a line through the values, or a dot for each.
    fn drawn(&self, values: &[f64], y: &dyn Fn(f64) -> f64) -> String {
        let mut path = String::new();
        for (nth, value) in (0_u32..).zip(values) {
            let (x, y) = (self.x(f64::from(nth)), y(*value));
            let _ = match self.mark {
                Mark::Line if nth == 0 => write!(path, "M{x:.1} {y:.1}"),
                Mark::Line => write!(path, "L{x:.1} {y:.1}"),
                // A line of no length with round ends.
                Mark::Dots => write!(path, "M{x:.1} {y:.1}h0"),
            };
        }
        let dots = if self.mark == Mark::Dots {
            " style=\"stroke-width:5;stroke-linecap:round\""
        } else {
            ""
        };
        format!("<path class=\"mark\"{dots} d=\"{path}\"/>")
    }
}
