//! One look at everything, and what follows from it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gopark_net::delay;

use super::bell::Wants;
use super::crowd::{self, Crowd};
use super::patient::{Loss, Patient, Place, holds_p_in_section, place};
use super::report;
use super::repute::Repute;
use super::trace::Trace;
use super::watch::{Cause, Finding, OFF_CPU_LIMIT, SHORT_OFF_CPU_LIMIT, SHORT_SLICE, SLICE, Sight};
use super::{Clocks, Nap};
use crate::g::Site;
use crate::m::M;
use crate::p::P;
use crate::primitive::must_tell_of_refusal;
use crate::pulse::Beat;
use crate::sched::{Limit, Sched, StallPolicy};
use crate::seat::Retake;
use crate::warn::warn_later;

/// How often a runtime is looked at that has no P to spare, or in which polls have stalled.
pub(super) const BUSY_NAP: Duration = Duration::from_millis(1);
/// How often one is looked at that has an idle P: see `sysmon/mod.rs`.
const CALM_NAP: Duration = Duration::from_millis(10);
/// For how long it is looked at as if full after it was: most are full again soon, and a ring costs more than a look.
const FULL_FOR: Duration = Duration::from_millis(4);
/// For how long stalls are expected after one.
const WARY_FOR: Duration = Duration::from_secs(1);
/// So many looks that find nothing come before the monitor sleeps without a limit, for which it needs a fence of the
/// whole process.
const QUIET_LOOKS: u32 = 3;
/// The nap of a runtime that is busy in ways that are hard to see.
pub(super) const BUSY: Nap = Nap::For(BUSY_NAP, Wants::BLOCK.and(Wants::JOB));
/// How often jobs that wait are looked at.
const JOB_NAP: Duration = Duration::from_micros(200);
/// How often a retake that is pending is looked at; and everything, for a while after a retake, since
/// stalls seldom come alone: who gets the P may run the next.
const PENDING_NAP: Duration = Duration::from_micros(50);
/// For how long after a retake.
const ALERT: Duration = Duration::from_millis(1);
/// How long nobody may have looked at the reactor.
const UNMANNED_LIMIT: Duration = Duration::from_micros(200);
/// When a poll that has not ended is spoken of all the same.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the monitor remembers.
pub(super) struct Monitor<'a> {
    sched: &'a Arc<Sched>,
    policy: StallPolicy,
    patients: Vec<Patient>,
    version: Option<usize>,
    pending: Vec<(Arc<M>, Retake<P>, Cause)>,
    alert_until: Duration,
    /// Until when it is looked at closely, though a P is idle: it was full, or something stalled.
    close_until: Duration,
    /// Whether the last nap was a calm one; and how many looks in a row found nothing.
    was_calm: bool,
    quiet_looks: u32,
    /// Jobs begun when they were last looked at, and when that was; when a runner was added last.
    jobs_begun: u64,
    jobs_seen: Duration,
    /// The next nap, while jobs wait and others begin: it grows, since these need no help.
    job_nap: Duration,
    runner_added: Duration,
    /// Looks at the reactor by others at the last look, and since when there was no other.
    reactor_turns: u64,
    unmanned_since: Option<Duration>,
    crowd: Crowd,
    repute: Repute<Place>,
    /// How often and how long Ms have waited for locks, those that have gone included.
    waits: (u64, Duration),
    trace: Option<Trace>,
}

/// What a look has found, all Ms together.
#[derive(Default)]
pub(super) struct Round {
    /// Some M has moved since the last look, or holds a P.
    pub(super) alive: bool,
    /// Blocking sections come and go, or are in their first moments.
    pub(super) blocks: bool,
    /// Jobs wait.
    jobs: bool,
    /// Ms that run a job or block, and use the processor.
    pub(super) computing: usize,
    nap: Option<Duration>,
}

impl Round {
    fn soon(&mut self, nap: Duration) {
        self.nap = Some(self.nap.map_or(nap, |other| other.min(nap)));
    }
}

impl<'a> Monitor<'a> {
    pub(super) fn new(sched: &'a Arc<Sched>) -> Self {
        Self {
            sched,
            policy: sched.config.stall_policy(),
            patients: Vec::new(),
            version: None,
            pending: Vec::new(),
            alert_until: Duration::ZERO,
            close_until: Duration::ZERO,
            was_calm: false,
            quiet_looks: 0,
            jobs_begun: 0,
            jobs_seen: Duration::ZERO,
            job_nap: JOB_NAP,
            runner_added: Duration::ZERO,
            reactor_turns: 0,
            unmanned_since: None,
            crowd: Crowd::new(),
            repute: Repute::new(),
            waits: (0, Duration::ZERO),
            trace: crate::debug::settings().schedtrace.map(Trace::new),
        }
    }

    pub(super) fn has_nothing_pending(&self) -> bool {
        self.pending.is_empty()
    }

    /// Whether there is nothing at all to see: asked between saying that the monitor sleeps and
    /// doing so ("the ring race", step (c)).
    pub(super) fn may_sleep(&self) -> bool {
        let sched = self.sched;
        let all_idle = sched.is_all_idle();
        let blocks = || sched.ms().iter().any(|m| holds_p_in_section(m));
        !sched.sysmon.is_stopped()
            && self.pending.is_empty()
            && sched.jobs.queued() == 0
            && !sched.work_is_left()
            && !(sched.lacks_poller() && self.policy != StallPolicy::Off)
            && (self.policy == StallPolicy::Off || all_idle)
            && !blocks()
    }

    /// Looks at everything, does what must be done, and says when to look again.
    pub(super) fn look(&mut self) -> Nap {
        let sched = self.sched;
        let now = sched.uptime();
        sched.counters().looks.add_shared(1);
        if must_tell_of_refusal() {
            warn_later(format_args!(
                "the kernel refuses a membarrier that it granted before; going on with fences instead"
            ));
        }
        self.meet();
        self.complete_pending();
        let mut round = Round::default();
        for at in 0..self.patients.len() {
            self.examine(at, now, &mut round);
        }
        if self.policy != StallPolicy::Off {
            self.see_to_reactor(now, &mut round);
            self.speak_of_the_stuck(now, &mut round);
        }
        if self.policy == StallPolicy::HandOff {
            self.see_to_crowd(now, &round);
        }
        self.see_to_jobs(now, &mut round);
        if sched.work_is_left() {
            sched.wakep();
            round.soon(SLICE);
        }
        if !self.pending.is_empty() || now < self.alert_until {
            round.soon(PENDING_NAP);
        }
        let trace = self.trace.as_mut().map(|trace| trace.print(sched, now));
        self.choose_nap(now, &round, trace)
    }

    /// Whether what was wanted has happened since the look, asked once the bell knows that it is wanted.
    pub(super) fn has_missed(&self, wants: Wants) -> bool {
        let sched = self.sched;
        let blocks = || {
            self.patients
                .iter()
                .any(|patient| holds_p_in_section(&patient.m))
        };
        (wants.has(Wants::FULL) && sched.idle.view().idle() == 0)
            || (wants.has(Wants::JOB) && sched.jobs.queued() > 0)
            || (wants.has(Wants::BLOCK) && blocks())
    }

    /// How long to nap if nothing is suspicious, while a runtime of which polls are watched is at work.
    fn watching_nap(&mut self, now: Duration, round: &Round) -> Option<Duration> {
        if round.alive {
            self.quiet_looks = 0;
        } else {
            self.quiet_looks = self.quiet_looks.saturating_add(1);
        }
        let sched = self.sched;
        // With one P, to be busy is to be full.
        if sched.is_full() || (round.alive && sched.ps.active() == 1) {
            self.close_until = self.close_until.max(now + FULL_FOR);
        }
        if sched.idle.view().idle() == 0 && self.repute.any_blocks(now) {
            return Some(SHORT_OFF_CPU_LIMIT);
        }
        let is_close = now < self.close_until || self.crowd.is_trying() || round.blocks;
        if round.alive && is_close {
            Some(BUSY_NAP)
        } else if self.quiet_looks < QUIET_LOOKS {
            Some(CALM_NAP)
        } else {
            None
        }
    }

    fn choose_nap(&mut self, now: Duration, round: &Round, trace: Option<Duration>) -> Nap {
        let regular = if self.policy != StallPolicy::Off {
            self.watching_nap(now, round)
        } else {
            round.blocks.then_some(BUSY_NAP)
        };
        let nap = match (round.nap, regular) {
            (Some(nap), Some(regular)) => Some(nap.min(regular)),
            (nap, regular) => nap.or(regular),
        };
        let nap = match (nap, trace) {
            (Some(nap), Some(trace)) => Some(nap.min(trace)),
            (nap, trace) => nap.or(trace),
        };
        let Some(nap) = nap else { return Nap::Deep };
        self.was_calm = nap > BUSY_NAP;
        let mut wants = Wants::NOTHING;
        if nap > JOB_NAP {
            if !round.jobs {
                wants = wants.and(Wants::JOB);
            }
            // While sections come and go all the time, most are short, and to be woken by each
            // would cost more than it saves: then a long one is found a nap later.
            if !round.blocks {
                wants = wants.and(Wants::BLOCK);
            }
        }
        if nap > BUSY_NAP && self.policy != StallPolicy::Off {
            wants = wants.and(Wants::FULL);
        }
        Nap::For(nap, wants)
    }

    /// Learns of new Ms, and forgets those that have gone.
    fn meet(&mut self) {
        let version = self.sched.ms_version();
        if self.version == Some(version) {
            return;
        }
        self.version = Some(version);
        let mut known = std::mem::take(&mut self.patients);
        for m in self.sched.ms() {
            let position = known.iter().position(|patient| Arc::ptr_eq(&patient.m, &m));
            self.patients.push(match position {
                Some(at) => known.swap_remove(at),
                None => Patient::new(m),
            });
        }
    }

    fn complete_pending(&mut self) {
        for (m, retake, cause) in std::mem::take(&mut self.pending) {
            self.complete(m, retake, cause);
        }
    }

    fn complete(&mut self, m: Arc<M>, retake: Retake<P>, cause: Cause) {
        match retake.complete(&m.seat) {
            // SAFETY: (1) Ps live as long as the `Sched`; (2) the retake is complete, so it is ours.
            Ok(p) => self.sched.pass_on(unsafe { p.as_ref() }, cause),
            Err(retake) => self.pending.push((m, retake, cause)),
        }
    }

    fn examine(&mut self, at: usize, now: Duration, round: &mut Round) {
        let was_calm = self.was_calm;
        let patient = &mut self.patients[at];
        let (p, rt) = patient.m.seat.glance();
        let beat = patient.m.pulse.look();
        patient.compare(&beat, p.is_some(), now, round);
        let Some(p) = p else {
            patient.watch.forget();
            match patient.goes_on(now) {
                Some((place, Cause::Computing)) => self.repute.has_computed(place, now),
                Some((place, Cause::OffCpu)) => self.repute.has_blocked(place, now),
                _ => {}
            }
            return;
        };
        round.alive = true;
        // SAFETY: (1) Ps live as long as the `Sched`.
        let p = unsafe { p.as_ref() };
        let sched = self.sched;
        if let Some(due) = sched.due_within(p, CALM_NAP) {
            round.soon(due + BUSY_NAP);
        }
        if self.policy != StallPolicy::Off && patient.outstays_slice(p, now) {
            sched.end_slice(&patient.m);
        }
        let place = place(&beat);
        let computes = place.is_some_and(|place| self.repute.computes(&place, now));
        let blocks = place.is_some_and(|place| self.repute.blocks(&place, now));
        let slice = self.slice(computes);
        let patient = &mut self.patients[at];
        let watched = self.policy != StallPolicy::Off || beat.block % 2 == 1;
        if rt % 2 == 1 || !watched {
            return;
        }
        let sight = Sight {
            now,
            tick: beat.tick,
            block: beat.block,
            cpu: patient.cpu,
            off_cpu_limit: if blocks {
                SHORT_OFF_CPU_LIMIT
            } else {
                OFF_CPU_LIMIT
            },
        };
        let scene = || sched.scene(p, slice);
        let mut finding = patient.watch.look(sight, scene);
        patient.note_doze(beat.tick);
        let is_ours = |cause| match cause {
            _ if !sched.config.leaves_computing() => true,
            Cause::Computing => false,
            Cause::OffCpu | Cause::Block => scene().keeps_tasks_waiting(),
        };
        let sleeps = matches!(finding, Finding::Stalled(Cause::OffCpu | Cause::Block));
        if sleeps && patient.m.probe.is_runnable() == Some(true) {
            // The kernel has it wait for a processor: then another thread would have to wait, too.
            finding = if beat.block % 2 == 1 {
                patient.watch.judge_computing_section(scene)
            } else {
                patient.watch.judge_computing(scene)
            };
        }
        match finding {
            // It may have been in this poll for most of a calm nap, and may keep something waiting.
            Finding::Well if blocks => round.soon(SHORT_OFF_CPU_LIMIT),
            Finding::Well if was_calm || (patient.watch.is_long() && scene().is_needed()) => {
                round.soon(BUSY_NAP);
            }
            Finding::Well => {}
            Finding::Suspect(nap) => round.soon(nap),
            Finding::Stalled(cause)
                if cause == Cause::Block
                    || (self.policy == StallPolicy::HandOff && is_ours(cause)) =>
            {
                return self.retake(at, p, &beat, cause);
            }
            Finding::Stalled(_) => {}
        }
        if self.policy != StallPolicy::Off && !sched.config.leaves_computing() {
            self.patients[at].judge(sched, &beat, None);
        }
    }

    /// Takes `p` from the M `at`, and gives it to another as soon as that is possible.
    fn retake(&mut self, at: usize, p: &P, beat: &Beat<Site>, cause: Cause) {
        let sched = self.sched;
        let patient = &mut self.patients[at];
        // Jobs have a limit of their own.
        let runs_job = patient.m.runs_job.load(Ordering::Relaxed);
        if !runs_job && sched.is_full_of_blocked() {
            if patient.refused.replace(beat.tick) != Some(beat.tick) {
                sched.counters().retakes_refused.add_shared(1);
            }
            sched.say_full(Limit::Blocked);
            return;
        }
        let claims =
            cause != Cause::Block || !sched.is_strict() || patient.m.pulse.claim_block(beat.block);
        if !claims {
            return;
        }
        sched.begin_stall(&patient.m);
        delay::here("retake: about to take a P");
        let Some(retake) = patient.m.seat.retake(p.into()) else {
            sched.undo_stall(&patient.m);
            patient.m.pulse.unclaim_block(beat.block);
            return;
        };
        sched.count_retake(cause);
        if cause != Cause::Block {
            self.close_until = sched.uptime() + WARY_FOR;
        }
        let place = place(beat);
        patient.lost = Some(Loss {
            tick: beat.tick,
            cause,
            place,
            at: sched.uptime(),
        });
        if let (Some(place), Cause::Computing) = (place, cause) {
            if patient.watch.computed() >= SLICE {
                self.repute.has_computed(place, sched.uptime());
            }
        }
        if cause != Cause::Block {
            patient.judge(sched, beat, Some(cause));
        }
        let m = patient.m.clone();
        self.alert_until = sched.uptime() + ALERT;
        self.complete(m, retake, cause);
    }

    /// How long a poll may compute while others wait. Each Ps' worth of Ms that compute without a P already makes it a
    /// slice longer: all share the processors. A poll of which it is expected gets less, unless there are many of them:
    /// to take Ps from these one after the other helps none.
    fn slice(&self, is_expected: bool) -> Duration {
        let is_hog = |patient: &&Patient| {
            let cause = patient.lost.map(|loss| loss.cause);
            cause == Some(Cause::Computing)
        };
        let hogs = self.patients.iter().filter(is_hog).count();
        let shares = hogs / self.sched.ps.active();
        let slice = if is_expected && shares < 2 {
            SHORT_SLICE
        } else {
            SLICE
        };
        slice * (1 + shares) as u32
    }

    /// Sees to it that somebody waits in the reactor.
    fn see_to_reactor(&mut self, now: Duration, round: &mut Round) {
        let turns = self.sched.reactor_turns();
        let unattended = std::mem::replace(&mut self.reactor_turns, turns) == turns;
        if !unattended || !self.sched.lacks_poller() {
            self.unmanned_since = None;
            return;
        }
        let since = *self.unmanned_since.get_or_insert(now);
        let time = now - since;
        if time < UNMANNED_LIMIT {
            round.soon(UNMANNED_LIMIT - time);
        } else {
            // With all Ps busy they look there themselves every 61 rounds; unless they are stuck.
            let any_idle = self.sched.idle.view().idle() > 0;
            self.sched.recall_poller(any_idle || time >= SLICE);
        }
    }

    /// Lays Ps off that only wait for each other, and takes them back.
    fn see_to_crowd(&mut self, now: Duration, round: &Round) {
        let sched = self.sched;
        for patient in &mut self.patients {
            let (waits, waited) = patient.m.waits();
            let before = std::mem::replace(&mut patient.waits, (waits, waited));
            self.waits.0 += waits - before.0;
            self.waits.1 += waited.saturating_sub(before.1);
        }
        let procs = sched.ps.wanted();
        let laid_off = procs.saturating_sub(sched.ps.active());
        if self.crowd.laid_off() != laid_off {
            // The user has set the number of Ps meanwhile, perhaps to what it was.
            self.crowd.forget();
        }
        let sight = crowd::Sight {
            now,
            procs,
            waits: self.waits.0,
            waited: self.waits.1,
        };
        let deeds = sched.ps.iter().map(|p| crowd::Deeds {
            polls: p.metrics.polls.get(),
            parks: p.metrics.parks.get(),
        });
        let count = if round.alive && procs > 1 {
            self.crowd.look(sight, deeds)
        } else {
            self.crowd.rest_for_now();
            0
        };
        if count != laid_off {
            let more = count.saturating_sub(laid_off);
            sched.counters().procs_laid_off.add_shared(more as u64);
            sched.lay_off(procs, count);
        }
    }

    /// Adds threads for jobs that wait.
    fn see_to_jobs(&mut self, now: Duration, round: &mut Round) {
        let jobs = &self.sched.jobs;
        let queued = jobs.queued();
        if queued == 0 {
            return;
        }
        round.jobs = true;
        if jobs.room() == 0 {
            self.sched.say_full(Limit::Jobs);
        }
        if now - self.jobs_seen < JOB_NAP {
            round.soon(JOB_NAP);
            return;
        }
        self.jobs_seen = now;
        let begun = jobs.begun();
        if std::mem::replace(&mut self.jobs_begun, begun) != begun {
            round.soon(self.job_nap);
            self.job_nap = (self.job_nap * 2).min(BUSY_NAP);
            return;
        }
        self.job_nap = JOB_NAP;
        round.soon(JOB_NAP);
        // All that run are stuck. Where they compute, more threads do not make it quicker, only fairer.
        let computes = round.computing >= self.sched.ps.active();
        if computes && now - self.runner_added < SLICE {
            return;
        }
        self.runner_added = now;
        let more = if computes { 1 } else { jobs.running().max(1) };
        for _ in 0..more.min(queued).min(jobs.room()) {
            if !self.sched.start_runner() {
                break;
            }
        }
    }

    /// Speaks of polls that do not end in the place of their Ms, which cannot.
    fn speak_of_the_stuck(&mut self, now: Duration, round: &mut Round) {
        for patient in &self.patients {
            let Some(loss) = patient.lost else {
                continue;
            };
            if patient.judged != Some(loss.tick) {
                continue;
            }
            if let Some(mut verdict) = self.sched.take_stale_verdict(&patient.m, PATIENCE) {
                let held = now - verdict.since;
                let cause = verdict.cause_after(held, Clocks::of(&patient.m.probe));
                verdict.cause = cause.unwrap_or(verdict.cause);
                report::stall(&verdict, held, true);
            } else if patient.has_unspoken_verdict() {
                round.soon(BUSY_NAP * 10);
            }
        }
    }
}
