//! A conversion, from inputs to output.

mod completion;
mod conflicts;
mod documents;
mod dry_run;
mod merged;
mod names;
mod options;
mod remaining;
mod selected;
mod signatures;
mod stale;

pub use dry_run::{DryEntry, DryImage, DryLayer, DryRun, dry_run};
pub use options::Options;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::cache::Cache;
use crate::compression::Codec;
use crate::digest_map::StagedMap;
use crate::error::{Error, OutputError, Result};
use crate::findings::{Code, Finding};
use crate::formats::Input;
use crate::gap::{self, Have};
use crate::image::Document;
use crate::interrupt::Interrupt;
use crate::layer::{Done, Known, OnDamage, Pipeline, thread_pool};
use crate::output::{Committed, Output, OutputKind, Target};
use crate::plan::{CachedJobs, Plan};
use crate::progress::Progress;
use crate::prune::{PruneOptions, Pruned, prune};
use crate::report::{EntryReport, Failure, Report};
use crate::resolve::Resolver;
use crate::source::Spool;
use completion::Fillers;
use documents::Documents;
use remaining::{Failed, Remaining};
use stale::Digests;

/// Converts all selected images of `inputs` into one output at `target`.
///
/// The output appears complete or not at all. An existing output stays until then, and stays if the conversion fails.
///
/// # Errors
/// The first problem of an input, with its place, unless the options say to continue with the other inputs;
/// [`Error::Interrupted`] after a request to stop.
pub fn convert(
    inputs: &[PathBuf],
    target: &Target,
    options: &Options,
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> Result<Report> {
    options.check(inputs, target)?;
    let pool = thread_pool(options.threads)?;
    let cache = match &options.cache {
        Some(cache) => Some(Cache::open(cache, target.path(), interrupt)?),
        None => None,
    };
    let temporary = target.temporary();
    let spool = Spool::new(&temporary).reporting(progress);
    let open = |path: &PathBuf| Input::open_by_way_of(&spool, path, &options.read, interrupt);
    let have = Have::open(&options.have, open)?;
    let remaining = Remaining::open(inputs, options.keep_going, open)?;
    completion::remove_stale(remaining.inputs(), target, options, interrupt);
    let fillers = Fillers::open(remaining.inputs(), target, options, open)?;
    let work = Conversion {
        have: &have,
        fillers: &fillers,
        pool: &pool,
        target,
        options,
        cache: cache.as_ref(),
        progress,
        interrupt,
    };
    let (report, failed) = remaining.attempt(|inputs| work.convert(inputs))?;
    let mut report = report.unwrap_or_default();
    report.failed = [failed, report.failed].concat();
    if let Some(cache) = &cache {
        report.warnings.append(&mut cache.take_warnings());
    }
    Ok(report)
}

/// The options and resources of a conversion.
struct Conversion<'a> {
    pool: &'a rayon::ThreadPool,
    target: &'a Target,
    options: &'a Options,
    cache: Option<&'a Cache>,
    progress: &'a dyn Progress,
    interrupt: &'a Interrupt,
    have: &'a Have,
    fillers: &'a Fillers,
}

impl Conversion<'_> {
    /// Converts all of these inputs, or fails without an output.
    fn convert(&self, inputs: &[Input]) -> Result<Report, Failed> {
        let options = self.options;
        let sources = self.fillers.sources(inputs);
        let (selected, mut warnings) = selected::select(inputs, options, self.target, &sources)?;
        let mut plan = selected::plan(inputs, &selected, options, self.target)?;
        warnings.extend(plan.warnings.iter().cloned());
        let mut digest_map = match &options.digest_map {
            Some(map) => Some(StagedMap::new(map, options.output.fsync, self.interrupt)?),
            None => None,
        };

        let (known, mut damaged) = self.have.known(&mut plan.jobs, &self.pipeline())?;
        warnings.append(&mut damaged);
        let (jobs, output, mut done) = self.all_layers(&plan, &known)?;
        if !done.damaged.is_empty() {
            // The conversion starts again without the damaged inputs. The output is then the same as if they had not been
            // named, and layers that they share with other inputs are read from those.
            return Err(Failed::in_their_places(inputs, done.damaged));
        }
        warnings.append(&mut done.warnings);

        let put = |document: &Document| output.put(document);
        let listed = gap::listed(inputs);
        let mut resolver = Resolver::new(
            &plan,
            &done.outcomes,
            &put,
            self.target.kind(),
            options.format,
            &listed,
        );
        resolver.with_schema2 = digest_map.is_some();
        resolver.describes_all = options.output.volume_size.is_some();
        let written = documents::write(resolver, &plan, &done.outcomes, inputs, &selected)?;
        let Documents {
            mut additions,
            entries,
            origins,
        } = written;
        additions.is_part = !options.have.is_empty();
        names::refuse_shared(inputs, &names::claims(&origins, &entries))?;
        let digests = Digests {
            keep: options.keep_digests,
            known: true,
        };
        warnings.extend(digests.check(inputs, &origins, &entries)?);
        if let (OutputKind::Dir, [one], [entry]) = (self.target.kind(), &*selected, &*entries) {
            let input = &inputs[one.input];
            additions.signatures = signatures::signatures(input, one, entry, &mut warnings)?;
        }
        if options.output.docker_manifest && matches!(self.target, Target::Tar(_) | Target::Stdout)
        {
            warnings.extend(zstd_note(self.target, &entries));
        }

        self.interrupt.check()?;
        // The map is written before the output is published, so that a full disk is noticed before anything changes. It is
        // published after the output, so that it never describes an output that does not exist.
        if let Some(map) = &mut digest_map {
            map.write(&entries)?;
        }
        // Compressing a tar uses all threads.
        let publish = || output.commit(&additions, self.progress);
        let Committed { moved, volumes } = self.pool.install(publish)?;
        let mut failed = Vec::new();
        if let Some(Err(error)) = digest_map.map(StagedMap::publish) {
            failed.push(self.after_the_output(error)?);
        }
        let pruned = match self.prune() {
            Ok(pruned) => pruned,
            Err(error) => {
                failed.push(self.after_the_output(error)?);
                None
            }
        };
        Ok(Report {
            entries,
            warnings,
            layers: jobs.counts(&done.outcomes),
            cache: self.cache.map(|_| jobs.report()),
            moved,
            absent: additions.absent.into_values().collect(),
            volumes,
            pruned,
            failed,
            files: self.files_read(inputs, &plan),
        })
    }

    /// The files that were read: archives and lists, or documents and blobs in folders.
    fn files_read(&self, inputs: &[Input], plan: &Plan) -> BTreeSet<PathBuf> {
        let metadata = inputs.iter().flat_map(Input::files_read);
        let others = self.have.files_read().chain(self.fillers.files_read());
        let mut files: BTreeSet<PathBuf> = metadata.chain(others).map(Path::to_owned).collect();
        let read = plan.jobs.iter().filter(|job| !job.is_in_place());
        let blobs = read.map(|job| job.content.id());
        files.extend(blobs.filter_map(|blob| blob.path().map(Path::to_owned)));
        files
    }

    /// What is reported of an error once the output is complete. A run that keeps going still reports its images.
    fn after_the_output(&self, error: Error) -> Result<Failure> {
        if self.options.keep_going && !matches!(error.fact(), Error::Interrupted) {
            Ok(Failure::new(None, &error))
        } else {
            Err(error)
        }
    }

    fn prune(&self) -> Result<Option<Pruned>> {
        match self.target {
            Target::Folder(path) if self.options.prune => {
                let pruned = prune(path, PruneOptions::default(), self.interrupt);
                let not_pruned = |error| {
                    Error::Output(OutputError::NotPruned {
                        source: Box::new(error),
                    })
                };
                pruned.map(Some).map_err(not_pruned)
            }
            _ => Ok(None),
        }
    }

    fn pipeline(&self) -> Pipeline<'_> {
        Pipeline {
            pool: self.pool,
            progress: self.progress,
            interrupt: self.interrupt,
            layer_bytes: self.options.read.layer_bytes,
            on_damage: if self.options.keep_going {
                OnDamage::Record
            } else {
                OnDamage::Stop
            },
        }
    }

    /// Converts all layers, without the cache if the cache is damaged.
    fn all_layers(&self, plan: &Plan, known: &Known) -> Result<(CachedJobs, Output, Done)> {
        let mut jobs = CachedJobs::new(&plan.jobs, self.cache, known);
        let mut done = self.layers(&jobs, known);
        if let (Err(error), Some(cache)) = (&done, self.cache)
            && cache.can_recover_from(error, &self.target.temporary())
        {
            cache.recover_from(error);
            jobs = CachedJobs::new(&plan.jobs, None, known);
            done = self.layers(&jobs, known);
        }
        let (output, done) = done?;
        Ok((jobs, output, done))
    }

    /// Converts all layers into a new staged output, which is removed on failure.
    fn layers(&self, jobs: &CachedJobs, known: &Known) -> Result<(Output, Done)> {
        let output = Output::open(self.target, &self.options.output, self.interrupt)?;
        self.progress.total(jobs.jobs.len(), jobs.bytes());
        let pipeline = self.pipeline();
        let mut done = pipeline.write(&output, self.cache, known, &jobs.jobs)?;
        if done.damaged.is_empty() {
            done.outcomes = jobs.outcomes(done.outcomes);
        }
        Ok((output, done))
    }
}

/// Warns of zstd layers in a tar, which some engines do not load.
fn zstd_note(target: &Target, entries: &[EntryReport]) -> Option<Finding> {
    let images = entries.iter().flat_map(|entry| &entry.images);
    let mut layers = images.flat_map(|image| &image.layers);
    layers.any(|layer| layer.codec == Some(Codec::Zstd)).then(|| {
        let message = "the tar has zstd layers: Docker 29, podman 4 and containerd load it, Docker 20.10 does not; \
                       `--compression gzip` suits all of them";
        Finding::new(Code::DockerZstd, &target.place(), message)
    })
}
