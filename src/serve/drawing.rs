//! The drawing of a family of calls: who was connected with whom, and when.
//!
//! ```text
//! A  ───────▒▒██████████████████
//! B  ───────▒▒██████████████████──────────
//! C  ─────────────────────────▒▒██████████
//!           10:00:00          10:05:00  10:06:00
//! ```
//!
//! A lane for each party; on it a bar while the party is in a call: pale while it rings, full while
//! it talks. A line from lane to lane where a call begins, from the caller to the called.
//!
//! **Invariant:** coordinates are integers and thousandths of the width; no number is a float.
//! Texts are escaped here. The drawing is as wide as its place, and its type is not scaled with
//! it.

use crate::render::charts::escaped;
use crate::time::Micros;
use std::fmt::Write as _;

/// A call, as it is drawn.
#[derive(Debug, Clone)]
pub struct DrawnCall {
    /// The lanes of its two parties, by their number.
    pub lanes: (usize, usize),
    /// When it began to ring.
    pub start: Micros,
    /// When it was answered; `None` if it was not.
    pub answered: Option<Micros>,
    /// When it ended.
    pub end: Micros,
    /// The call in words.
    pub words: String,
    /// True if it is the call of the page.
    pub is_own: bool,
}

/// Height of a lane.
const LANE: usize = 46;
/// The lines at the foot with the times.
const FOOT: usize = 26;
/// The most lanes.
pub const MOST_LANES: usize = 12;

/// Draws calls on their lanes; `lanes` are the letter and the name of each party. `clock` writes a
/// time of day. Nothing is drawn of calls that all have no length.
#[must_use]
pub fn timeline(
    lanes: &[(String, String)],
    calls: &[DrawnCall],
    clock: impl Fn(Micros) -> String,
) -> Option<String> {
    let first = calls.iter().map(|call| call.start).min()?;
    let last = calls.iter().map(|call| call.end).max()?;
    let length = i128::from(last) - i128::from(first);
    if length <= 0 || lanes.is_empty() {
        return None;
    }
    // From 1 to 99 per cent of the width: a bar at the edge is seen.
    let at = |time: Micros| -> i128 {
        10 + (i128::from(time) - i128::from(first)).clamp(0, length) * 980 / length
    };
    let percent = |permille: i128| format!("{}.{}%", permille / 10, permille % 10);
    let height = lanes.len() * LANE + FOOT;
    let words: Vec<String> = calls.iter().map(|call| call.words.clone()).collect();
    let mut svg = format!(
        concat!(
            r#"<svg class="timeline" width="100%" height="{}" role="img" "#,
            r#"aria-labelledby="line-title" aria-describedby="line-text">"#,
            r#"<title id="line-title">Who was connected when</title><desc id="line-text">{}</desc>"#
        ),
        height,
        escaped(&words.join(" "))
    );
    for (number, (letter, name)) in lanes.iter().enumerate() {
        let (text, line) = (number * LANE + 13, number * LANE + 27);
        let _ = write!(
            svg,
            concat!(
                r#"<text class="lane" x="18" y="{}"><tspan class="letter">{}</tspan> {}</text>"#,
                r#"<line class="rail" x1="0" x2="100%" y1="{}" y2="{}"/>"#
            ),
            text,
            escaped(letter),
            escaped(name),
            line,
            line
        );
    }
    for call in calls {
        let own = if call.is_own { " own" } else { "" };
        let title = escaped(&call.words);
        let (start, end) = (at(call.start), at(call.end));
        let answered = call.answered.map_or(end, at);
        let lanes = [call.lanes.0, call.lanes.1];
        let ys = lanes.map(|lane| lane * LANE + 21);
        let (from, to) = (ys[0] + 6, ys[1] + 6);
        let _ = write!(svg, r#"<g class="call{own}"><title>{title}</title>"#);
        let x = percent(start);
        let _ = write!(svg, r#"<line class="link" x1="{x}" x2="{x}" y1="{from}" y2="{to}"/>"#);
        let _ = write!(svg, r#"<circle class="dot" cx="{}" cy="{to}" r="4"/>"#, percent(start));
        for y in ys {
            let mut bar = |class: &str, from: i128, to: i128| {
                let width = (to - from).max(if class == "talks" { 4 } else { 0 });
                if width > 0 {
                    let _ = write!(
                        svg,
                        r#"<rect class="{class}" x="{}" y="{y}" width="{}" height="12" rx="3"/>"#,
                        percent(from),
                        percent(width)
                    );
                }
            };
            bar("rings", start, answered);
            if call.answered.is_some() {
                bar("talks", answered, end);
            }
        }
        svg.push_str("</g>");
    }
    let foot = lanes.len() * LANE + 16;
    let times = [(first, "0", ""), (last, "100%", " end")];
    for (time, x, class) in times {
        let _ = write!(
            svg,
            r#"<text class="time{class}" x="{x}" y="{foot}">{}</text>"#,
            escaped(&clock(time))
        );
    }
    // Where a later call began, if there is room for its time.
    let mut place = 280;
    let mut starts: Vec<Micros> = calls.iter().map(|call| call.start).collect();
    starts.sort_unstable();
    for start in starts.into_iter().filter(|start| *start > first) {
        let x = at(start);
        if x >= place && x <= 720 {
            let _ = write!(
                svg,
                r#"<text class="time middle" x="{}" y="{foot}">{}</text>"#,
                percent(x),
                escaped(&clock(start))
            );
            place = x + 250;
        }
    }
    svg.push_str("</svg>");
    Some(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(lanes: (usize, usize), start: i64, answered: Option<i64>, end: i64) -> DrawnCall {
        let words = "<b>A called B</b>".to_owned();
        DrawnCall { lanes, start, answered, end, words, is_own: true }
    }

    #[test]
    fn bars_stand_at_their_times() {
        let lanes = [("A", "+1"), ("B", "<i>"), ("C", "+3")].map(|(a, b)| (a.into(), b.into()));
        let calls = [call((0, 1), 0, Some(100), 500), call((1, 2), 500, Some(600), 1000)];
        let svg = timeline(&lanes, &calls, |time| time.to_string()).expect("a drawing");
        // From 1 % at 0 to 99 % at 1000: 100 is at 10.8 %, 500 at 50 %.
        for expected in [
            r#"<rect class="rings" x="1.0%" y="21" width="9.8%""#,
            r#"<rect class="talks" x="10.8%" y="67" width="39.2%""#,
            r#"<rect class="talks" x="59.8%" y="113" width="39.2%""#,
            r#"<text class="time middle" x="50.0%""#,
        ] {
            assert!(svg.contains(expected), "{expected} in {svg}");
        }
        assert!(!svg.contains("<i>") && !svg.contains("<b>"), "{svg}");
    }

    #[test]
    fn what_has_no_length_is_not_drawn() {
        let lanes = [("A".to_owned(), String::new())];
        assert_eq!(timeline(&lanes, &[call((0, 0), 5, None, 5)], |_| String::new()), None);
        assert_eq!(timeline(&lanes, &[], |_| String::new()), None);
    }
}
