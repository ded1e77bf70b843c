//! The whole story, from inputs to output.

mod completion;
mod conflicts;
mod dry_run;
mod merged;
mod names;
mod remaining;
mod signatures;
mod stale;

pub use dry_run::{DryEntry, DryImage, DryLayer, DryRun, dry_run};

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cache::{Cache, CacheOptions};
use crate::compression::{Codec, Compression};
use crate::digest::Digest;
use crate::digest_map::{DigestMap, StagedMap};
use crate::error::{Error, Result};
use crate::findings::{Code, Finding};
use crate::formats::{Input, ReadOptions, UNLISTED, warnings_of};
use crate::gap::{self, Have, Sources};
use crate::image::{CONTAINERD_NAME, Descriptor, ManifestFormat, Node, REF_NAME, Reference};
use crate::interrupt::Interrupt;
use crate::layer::{Done, Known, OnDamage, Pipeline, thread_pool};
use crate::output::{Additions, Existing, Output, OutputKind, OutputOptions, Target, check_names};
use crate::plan::{CachedJobs, Check, Plan};
use crate::progress::Progress;
use crate::prune::{PruneOptions, prune};
use crate::report::{EntryReport, ImageReport, IndexReport, Report};
use crate::resolve::{Resolver, Written};
use crate::select::{Missing, Selected, Selection, fit};
use crate::source::Spool;
use completion::{Fillers, complete};
use remaining::{Failed, Remaining};

/// How a conversion is done. The default converts everything and keeps what is compressed already.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Options {
    /// What becomes of the layers' compression.
    pub compression: Compression,
    /// The format of the manifests.
    pub format: ManifestFormat,
    /// Which images, and under which name.
    pub selection: Selection,
    /// How much of a kept layer is checked.
    pub check: Check,
    /// How many threads; `None` for as many as there are cores.
    pub threads: Option<usize>,
    /// How the inputs are read.
    pub read: ReadOptions,
    /// How the output is made.
    pub output: OutputOptions,
    /// A file that tells what the digests were and became.
    pub digest_map: Option<DigestMap>,
    /// Where finished layers are kept for the next conversion. The output is the same with and without.
    pub cache: Option<CacheOptions>,
    /// Whether what nothing refers to is removed from a folder in the end. A tar never has any of it.
    pub prune: bool,
    /// Whether an input that fails is left out, and the others are converted.
    pub keep_going: bool,
    /// Whether to fail rather than change a manifest or index of an input.
    pub keep_digests: bool,
    /// What the other side has, which is left out: inputs, or lists of digests and `diff_ids`.
    pub have: Vec<PathBuf>,
    /// Where blobs are taken from that the inputs leave out.
    pub fill_from: Vec<PathBuf>,
}

/// Converts all selected images of `inputs` into one layout at `target`.
///
/// The output appears whole or not at all; what was there before stays until then, and stays when this fails.
///
/// # Errors
/// The first thing that is wrong with an input, with its place, unless the options say to keep going;
/// [`Error::Interrupted`] after a request to stop.
pub fn convert(
    inputs: &[PathBuf],
    target: &Target,
    options: &Options,
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> Result<Report> {
    options.refuse_conflicts(target)?;
    target.refuse_inputs(inputs, options.output.existing == Existing::Replace)?;
    if let Some(map) = &options.digest_map {
        map.refuse_inside(inputs, target)?;
    }
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
    let fillers = Fillers::open(remaining.inputs(), target, options, open)?;
    let work = Work {
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
    report.failed = failed;
    if let Some(cache) = &cache {
        report.warnings.append(&mut cache.take_warnings());
    }
    Ok(report)
}

/// What inputs are converted with.
struct Work<'a> {
    pool: &'a rayon::ThreadPool,
    target: &'a Target,
    options: &'a Options,
    cache: Option<&'a Cache>,
    progress: &'a dyn Progress,
    interrupt: &'a Interrupt,
    have: &'a Have,
    fillers: &'a Fillers,
}

impl Work<'_> {
    /// Converts all inputs, or nothing.
    fn convert(&self, inputs: &[Input]) -> Result<Report, Failed> {
        let options = self.options;
        let sources = self.fillers.sources(inputs);
        let (selected, mut warnings) = select(inputs, options, self.target, &sources)?;
        let plan = Plan::new(
            inputs,
            &selected,
            options.layer_compression(self.target),
            options.check,
        )
        .map_err(|error| Failed::in_their_places(inputs, [error]))?;
        warnings.extend(plan.warnings.iter().cloned());
        let mut digest_map = match &options.digest_map {
            Some(map) => Some(StagedMap::new(map, options.output.fsync, self.interrupt)?),
            None => None,
        };

        let (known, mut damaged) = self.have.known(&plan.jobs, &self.pipeline())?;
        warnings.append(&mut damaged);
        let (jobs, output, mut done) = self.all_layers(&plan, &known)?;
        if !done.damaged.is_empty() {
            // All begins anew with the other inputs: the output then is as if the damaged ones had not been named, and
            // what they share with others is taken from those.
            return Err(Failed::in_their_places(inputs, done.damaged));
        }
        warnings.append(&mut done.warnings);

        let with_schema2 = digest_map.is_some();
        let format = self.target.kind().has_manifests().then_some(options.format);
        let listed = gap::listed(inputs);
        let mut resolver = Resolver::new(
            &plan,
            &done.outcomes,
            &output,
            format,
            &listed,
            with_schema2,
        );
        resolver.describes_all = options.output.volume_size.is_some();
        let mut additions = Additions::default();
        let mut entries = Vec::with_capacity(selected.len());
        let mut origins = Vec::with_capacity(selected.len());
        for (number, one) in selected.iter().enumerate() {
            let names = &one.entry.references;
            let written = resolver.named_root(number, names).map_err(|error| {
                let error = one.locate(error, inputs);
                Failed::in_their_places(inputs, [error])
            })?;
            if one.part.is_some() {
                continue;
            }
            additions
                .descriptors
                .extend(names.iter().map(|name| descriptor(&written, name)));
            entries.push(entry_report(&inputs[one.input], one, &written));
            origins.push(one.input);
        }
        if let Some(merged) = merged::write(&mut resolver, inputs, &selected)? {
            additions.descriptors.push(merged.descriptor);
            entries.push(merged.report);
            origins.push(merged.input);
        }
        additions.is_part = !options.have.is_empty();
        completion::note_blobs(&mut additions, &mut resolver, &plan, &done.outcomes);
        names::refuse_shared(inputs, &names::claims(&origins, &entries))?;
        let keep = options.keep_digests;
        warnings.extend(stale::check(inputs, &origins, &entries, keep)?);

        if let (OutputKind::Dir, [one], [entry]) = (self.target.kind(), &*selected, &*entries) {
            let input = &inputs[one.input];
            additions.signatures = signatures::signatures(input, one, entry, &mut warnings)?;
        }
        if options.output.docker_manifest && matches!(self.target, Target::Tar(_) | Target::Stdout)
        {
            warnings.extend(zstd_note(self.target, &entries));
        }

        self.interrupt.check()?;
        // Written before the layout is published, and put in its place after it: no map tells of a layout that is not
        // there, and a full disk is found out while nothing has changed.
        if let Some(map) = &mut digest_map {
            map.write(&entries)?;
        }
        // A compressed tar is compressed here, by all threads.
        let moved = self
            .pool
            .install(|| output.commit(&additions, self.progress))?;
        if let Some(map) = digest_map {
            map.publish()?;
        }
        let pruned = match self.target {
            Target::Folder(path) if options.prune => {
                let pruned = prune(path, PruneOptions::default(), self.interrupt);
                Some(pruned.map_err(|error| Error::NotPruned {
                    source: Box::new(error),
                })?)
            }
            _ => None,
        };
        Ok(Report {
            entries,
            warnings,
            layers: jobs.counts(&done.outcomes),
            cache: self.cache.map(|_| jobs.report()),
            moved,
            pruned,
            failed: Vec::new(),
            files: files_read(inputs, &plan),
        })
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

    /// Does all layers, without the cache if that is damaged.
    fn all_layers(&self, plan: &Plan, known: &Known) -> Result<(CachedJobs, Output, Done)> {
        let mut jobs = CachedJobs::new(&plan.jobs, self.cache);
        let mut done = self.layers(&jobs, known);
        if let (Err(error), Some(cache)) = (&done, self.cache)
            && cache.can_recover_from(error, &self.target.temporary())
        {
            cache.recover_from(error);
            jobs = CachedJobs::new(&plan.jobs, None);
            done = self.layers(&jobs, known);
        }
        let (output, done) = done?;
        Ok((jobs, output, done))
    }

    /// Does all layers into a new output. When that fails nothing is left of it.
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

/// The files that are read for what is selected: archives, or documents and blobs in folders.
fn files_read(inputs: &[Input], plan: &Plan) -> BTreeSet<PathBuf> {
    let metadata = inputs.iter().flat_map(Input::files_read);
    let mut files: BTreeSet<PathBuf> = metadata.map(Path::to_owned).collect();
    let read = plan.jobs.iter().filter(|job| !job.is_in_place());
    let blobs = read.map(|job| job.content.id());
    files.extend(blobs.filter_map(|blob| blob.path().map(Path::to_owned)));
    files
}

/// What is selected of the inputs, and what is to be said of it.
fn select(
    inputs: &[Input],
    options: &Options,
    target: &Target,
    sources: &Sources,
) -> Result<(Vec<Selected>, Vec<Finding>), Failed> {
    let of_place = |error| Failed::in_their_places(inputs, [error]);
    let selection = &options.selection;
    // What concerns whole inputs comes first: of an archive that is cut short nothing can be selected.
    findings(inputs, &[], selection.missing, sources)?;
    if selection.images.is_empty() {
        unlisted(inputs)?;
    }
    let mut warnings = Vec::new();
    let (selected, absent) = match selection.apply(inputs, &mut warnings) {
        Ok(selected) => selected,
        // What cannot be read is not missing: why is in the findings.
        Err(error) => {
            let named = selection.named(inputs).map_err(of_place)?;
            findings(inputs, &named, selection.missing, sources)?;
            return Err(of_place(error));
        }
    };
    findings(inputs, &absent, selection.missing, sources)?;
    let selected = fit(
        selected,
        options.format,
        target.kind(),
        inputs,
        &mut warnings,
    );
    let mut selected = selected.map_err(of_place)?;
    let found = findings(inputs, &selected, selection.missing, sources)?;
    warnings.splice(..0, found);
    let may_lack = selection.missing == Missing::Keep && target.kind() == OutputKind::Layout;
    warnings.extend(complete(&mut selected, inputs, sources, may_lack)?);
    let references = selected.iter().flat_map(|one| &one.entry.references);
    check_names(references.filter_map(Reference::display_name))?;
    Ok((selected, warnings))
}

/// What could not be listed matters where everything is wanted.
fn unlisted(inputs: &[Input]) -> Result<(), Failed> {
    let failed = |(number, input): (usize, &Input)| {
        let found = input.warnings(|entry, _| entry == UNLISTED);
        found.err().map(|error| (number, error))
    };
    let errors: Vec<(usize, Error)> = inputs.iter().enumerate().filter_map(failed).collect();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Failed::of_inputs(errors))
    }
}

/// What is to be said of the selected images of the inputs.
///
/// # Errors
/// The first finding of each input that stops a conversion.
fn findings(
    inputs: &[Input],
    selected: &[Selected],
    missing: Missing,
    sources: &Sources,
) -> Result<Vec<Finding>, Failed> {
    let mut wanted: HashMap<(usize, usize), Vec<&Selected>> = HashMap::new();
    for one in selected {
        let entries = one.filled_from.iter().copied();
        for key in entries.chain([(one.input, one.position)]) {
            wanted.entry(key).or_default().push(one);
        }
    }
    let mut warnings = Vec::new();
    let mut errors = Vec::new();
    for (number, input) in inputs.iter().enumerate() {
        let is_selected = |entry: usize, manifest: Option<Digest>| {
            let selected = wanted.get(&(number, entry)).into_iter().flatten();
            let is_left_out =
                |one: &&Selected| manifest.is_some_and(|manifest| one.left_out.contains(&manifest));
            selected.copied().any(|one| !is_left_out(&one))
        };
        let absent = absent(input, missing);
        let about = input.about(is_selected);
        // What to do about images that are missing is up to the selection, which tells of them.
        let found = warnings_of(about.filter(|(_, finding)| match finding.code {
            Code::PlatformAbsent | Code::BlobLeftOut => false,
            Code::MissingBlob => {
                let file = finding.place.file.as_deref();
                let is_filled =
                    |file: &str| finding.place.layer.is_some() && sources.has_file(file);
                file.is_none_or(|file| !absent.contains(file) && !is_filled(file))
            }
            _ => true,
        }));
        match found {
            Ok(found) => warnings.extend(found),
            Err(error) => errors.push((number, error)),
        }
    }
    if errors.is_empty() {
        Ok(warnings)
    } else {
        Err(Failed::of_inputs(errors))
    }
}

/// Some engines that `docker load` a tar refuse its zstd layers.
fn zstd_note(target: &Target, entries: &[EntryReport]) -> Option<Finding> {
    let images = entries.iter().flat_map(|entry| &entry.images);
    let mut layers = images.flat_map(|image| &image.layers);
    layers.any(|layer| layer.codec == Some(Codec::Zstd)).then(|| {
        let message = "the tar has zstd layers: Docker 29, podman 4 and containerd load it, Docker 20.10 does not; \
                       `--compression gzip` suits all of them";
        Finding::new(Code::DockerZstd, &target.place(), message)
    })
}

/// The files of manifests and indexes that an index lists, and that the input lacks. What index.json itself lists is an
/// image of its own, and not a platform that nobody saved: it is there, or to be kept as it is.
fn absent(input: &Input, missing: Missing) -> HashSet<&str> {
    let mut absent = HashSet::new();
    for entry in &input.entries {
        if matches!(entry.node, Node::Absent { .. }) && missing != Missing::Keep {
            continue;
        }
        entry.node.walk(&mut |node| {
            if let Node::Absent { missing, .. } = node {
                absent.insert(missing.as_str());
            }
        });
    }
    absent
}

/// The descriptor that index.json gets for one name of an image.
fn descriptor(written: &Written, reference: &Reference) -> Descriptor {
    let mut annotations = reference.annotations.clone();
    let name = reference.name.as_ref().and(reference.display_name());
    let names = [
        (REF_NAME, name),
        (CONTAINERD_NAME, reference.containerd_name.as_deref()),
    ];
    for (key, name) in names {
        if let Some(name) = name {
            annotations.insert(key.to_owned(), Value::String(name.to_owned()));
        }
    }
    Descriptor {
        artifact_type: reference.artifact_type.clone(),
        annotations: (!annotations.is_empty()).then_some(annotations),
        ..written.descriptor.clone()
    }
}

fn entry_report(input: &Input, selected: &Selected, written: &Written) -> EntryReport {
    let names = selected.entry.references.iter();
    let mut images = written.images.clone();
    if let Some(old) = selected.index {
        // Of an index of which one image is selected, nothing is left.
        let of_all =
            |image: &ImageReport| image.indexes.first().is_some_and(|index| index.old == old);
        for image in images.iter_mut().filter(|image| !of_all(image)) {
            image.indexes.insert(0, IndexReport { old, new: None });
        }
    }
    EntryReport {
        input: input.name.clone(),
        names: names
            .filter_map(|reference| reference.display_name().map(str::to_owned))
            .collect(),
        digest: written.descriptor.digest,
        media_type: written.descriptor.media_type.clone(),
        size: written.descriptor.size,
        images,
    }
}
