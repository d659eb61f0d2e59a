//! Long work: a line for every step that ended, and beneath them a picture of those under way, with the time since
//! the command began on the left and the time of the step itself on the right.

use std::time::{Duration, Instant};

use qbo_api::message::{Step, StepState};

use super::style::{Colour, Paint};

/// Of the column that says where, to begin with: `control-<8 hex>` fits.
const PLACE: usize = 16;
/// Of the column that says what: with the rest it fits a terminal of 80 columns.
const WHAT: usize = 40;
/// What stands around these two: times, mark and blanks, and the last column, which terminals fill only to wrap.
const FRAME: usize = 21;
/// On a terminal that leaves less to say what is done, there is no picture.
const NARROW: usize = 8;
/// Lines of the screen left to what was there before.
const MARGIN: usize = 2;
/// One turn a second at ten pictures a second.
const WHEEL: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// The steps of a command.
#[derive(Debug)]
pub(crate) struct Steps {
    running: Vec<Running>,
    /// Whether the command works on more than one object, so that each line says on which.
    several: bool,
    /// Of the column that says where: the widest so far.
    place: usize,
    paint: Paint,
}

/// A step under way, and when its last report came.
#[derive(Debug)]
struct Running {
    step: Step,
    since: Instant,
}

impl Steps {
    /// Of a command that works on one object, or on several.
    pub(crate) fn new(several: bool, paint: Paint) -> Self {
        Self { running: Vec::new(), several, place: PLACE, paint }
    }

    /// Takes a report; gives the line that stays, where the step has ended.
    pub(crate) fn take(&mut self, step: &Step, now: Instant) -> Option<String> {
        self.place = self.place.max(self.place(step).chars().count());
        let same = |other: &Step| (&other.object, &other.node, &other.step) == (&step.object, &step.node, &step.step);
        let found = self.running.iter().position(|running| same(&running.step));
        let (colour, mark) = match step.state {
            StepState::Started | StepState::Progress => {
                let running = Running { step: step.clone(), since: now };
                match found {
                    Some(index) => self.running[index] = running,
                    None => self.running.push(running),
                }
                return None;
            }
            StepState::Done => (Colour::Green, "✓"),
            StepState::Failed => (Colour::Red, "✗"),
            StepState::Undone => (Colour::Yellow, "↶"),
        };
        if let Some(index) = found {
            self.running.remove(index);
        }
        let mut what = step.step.clone();
        match step.state {
            StepState::Failed => what = format!("{what}: {}", step.detail),
            StepState::Undone => what.push_str(": undone"),
            StepState::Started | StepState::Progress | StepState::Done => {}
        }
        Some(self.line(step, (colour, mark), (&what, WHAT), Duration::ZERO))
    }

    /// Whether steps are under way.
    pub(crate) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// The picture of what is under way, for a screen of this size.
    pub(crate) fn picture(&self, now: Instant, (columns, rows): (usize, usize)) -> Vec<String> {
        let room = rows.saturating_sub(MARGIN).max(1);
        let (shown, hidden) = if self.running.len() > room {
            // The line that counts the rest takes the place of one more.
            self.running.split_at(room - 1)
        } else {
            (self.running.as_slice(), [].as_slice())
        };
        let line = |running: &Running| {
            let age = now.saturating_duration_since(running.since);
            let mut what = running.step.step.clone();
            if running.step.state == StepState::Progress {
                what = format!("{what}: {}", running.step.detail);
            }
            // A line that wraps would be two when the picture is replaced.
            let room = columns.checked_sub(FRAME + self.place).filter(|room| *room >= NARROW)?;
            let what: String = what.chars().take(room).collect();
            let turn = (running.step.duration + age.as_secs_f64()) * 10.0;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time since the start")]
            let mark = WHEEL[turn as usize % WHEEL.len()];
            Some(self.line(&running.step, (Colour::Yellow, mark), (&what, WHAT.min(room)), age))
        };
        let mut lines: Vec<String> = shown.iter().filter_map(line).collect();
        if !hidden.is_empty() {
            lines.push(self.paint.paint(Colour::Dim, &format!("        … and {} more", hidden.len())));
        }
        lines
    }

    fn line(&self, step: &Step, (colour, mark): (Colour, &str), (what, width): (&str, usize), age: Duration) -> String {
        let (age, place) = (age.as_secs_f64(), self.place);
        format!(
            "{} {} {:<place$}  {what:<width$} {}",
            self.paint.paint(Colour::Dim, &format!("{:>7}", seconds(step.elapsed + age))),
            self.paint.paint(colour, mark),
            self.place(step),
            self.paint.paint(Colour::Dim, &format!("{:>7}", seconds(step.duration + age))),
        )
    }

    /// Where the step happens: a node without its domain, or the object.
    fn place(&self, step: &Step) -> String {
        let node = step.node.split('.').next().unwrap_or_default();
        match (node, self.several) {
            ("", _) => step.object.clone(),
            (node, false) => node.to_owned(),
            (node, true) => format!("{}/{node}", step.object),
        }
    }
}

/// A time for people.
pub(crate) fn seconds(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.1}s");
    }
    let whole = Duration::from_secs_f64(seconds.min(1e9)).as_secs();
    format!("{}m{:02}s", whole / 60, whole % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: (usize, usize) = (80, 24);

    fn step(node: &str, step: &str, state: StepState, (elapsed, duration): (f64, f64), detail: &str) -> Step {
        Step {
            message: format!("{elapsed:6.1} s  {node}  {step}"),
            object: "alex".into(),
            node: node.into(),
            step: step.into(),
            state,
            detail: detail.into(),
            elapsed,
            duration,
        }
    }

    #[test]
    fn steps_under_way_are_a_picture_and_those_that_ended_lines() {
        let now = Instant::now();
        let mut steps = Steps::new(false, Paint(false));
        let control = "control-1a2b3c4d.localhost";
        assert_eq!(steps.take(&step("", "network", StepState::Started, (0.0, 0.0), ""), now), None);
        assert_eq!(
            steps.take(&step("", "network", StepState::Done, (0.1, 0.1), "done"), now).unwrap(),
            "   0.1s ✓ alex              network                                     0.1s"
        );
        steps.take(&step(control, "boot", StepState::Started, (0.2, 0.0), ""), now);
        steps.take(&step("node-77aa88bb.localhost", "boot", StepState::Started, (0.3, 0.0), ""), now);
        let later = now + Duration::from_secs(1);
        steps.take(&step(control, "boot", StepState::Progress, (1.2, 1.0), "systemd runs"), later);
        assert_eq!(
            steps.picture(later, SIZE),
            [
                "   1.2s ⠋ control-1a2b3c4d  boot: systemd runs                          1.0s",
                "   1.3s ⠋ node-77aa88bb     boot                                        1.0s",
            ]
        );
        assert_eq!(
            steps.take(&step(control, "boot", StepState::Failed, (61.0, 60.8), "no such image"), later).unwrap(),
            "  1m01s ✗ control-1a2b3c4d  boot: no such image                        1m00s"
        );
        assert_eq!(
            steps.take(&step("", "network", StepState::Undone, (61.0, 0.2), "undone"), later).unwrap(),
            "  1m01s ↶ alex              network: undone                             0.2s"
        );
        assert!(!steps.is_empty());
    }

    #[test]
    fn several_objects_are_told_apart() {
        let mut steps = Steps::new(true, Paint(false));
        let line =
            steps.take(&step("node-77aa88bb.localhost", "join", StepState::Done, (9.0, 1.0), ""), Instant::now());
        assert_eq!(line.unwrap(), "   9.0s ✓ alex/node-77aa88bb  join                                        1.0s");
    }

    #[test]
    fn a_picture_fits_its_screen() {
        let now = Instant::now();
        let mut steps = Steps::new(false, Paint(false));
        for number in 0..240 {
            let node = format!("node-{number:08x}.localhost");
            steps.take(&step(&node, "pull", StepState::Progress, (1.0, 1.0), &"x".repeat(200)), now);
        }
        let picture = steps.picture(now, (60, 10));
        assert_eq!(picture.len(), 8);
        assert_eq!(picture[7], "        … and 233 more");
        assert!(picture.iter().all(|line| line.chars().count() < 60), "{picture:#?}");
        assert!(steps.picture(now, (40, 4)).iter().all(|line| line.chars().count() < 40), "too narrow for steps");
    }
}
