//! What a component asks of the host before any budget of a run begins: machine code to be made, instances to be laid out.
//!
//! It is counted in what the component says of itself, before a compiler sees it, and held to the limits. Whether it is
//! valid is not asked here, nor what it may use once it runs: that is wasmtime's business and a run's budget's.

use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind, ComponentTypeRef, FunctionBody,
    Instance, Operator, Parser, Payload,
};

use super::LoadError;
use crate::limits::Limits;

/// What an instance keeps of each of its module's functions, imports, globals, tables and memories, in bytes: at most.
const ITEM: u64 = 32;
/// How far the compiler's work at a loop, where it also looks whether time is up, exceeds that at any other branch.
const LOOP: u64 = 6;
/// The same for what becomes a call out of the machine code, with branches around it and traps in it.
const OUT: u64 = 12;
/// What a branch costs by itself, in the unit of what one costs another: a hundred-millionth of a second.
const BRANCH: u64 = 750;
/// What a local variable costs that has to be found again after a branch.
const LOCAL: u64 = 100;

/// That a component is no heavier than `limits` allow. `component` is what messages call it.
pub(super) fn check(component: &str, bytes: &[u8], limits: &Limits) -> Result<(), LoadError> {
    let mut scale = Scale { component, limits, code: Code::default(), open: Vec::new() };
    for payload in Parser::new(0).parse_all(bytes) {
        let malformed = |error: wasmparser::BinaryReaderError| scale.invalid(error.to_string());
        let payload = payload.map_err(malformed)?;
        scale.take(payload)?;
    }
    Ok(())
}

struct Scale<'a> {
    component: &'a str,
    limits: &'a Limits,
    code: Code,
    /// The components and modules that are being read, the outermost first.
    open: Vec<Scope>,
}

/// All code so far, wherever it is.
#[derive(Default)]
struct Code {
    modules: u64,
    functions: u64,
    bytes: u64,
    effort: u64,
}

/// A component or module that is being read: what one instance of it comes to, and what in it can be instantiated.
#[derive(Default)]
struct Scope {
    is_module: bool,
    laid_out: LaidOut,
    modules: Vec<LaidOut>,
    components: Vec<LaidOut>,
}

/// What comes with one instance of something, with all that it instantiates.
#[derive(Default, Clone, Copy)]
struct LaidOut {
    instances: u64,
    bytes: u64,
}

impl LaidOut {
    fn add(&mut self, other: LaidOut) {
        self.instances = self.instances.saturating_add(other.instances);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

impl Scale<'_> {
    fn take(&mut self, payload: Payload<'_>) -> Result<(), LoadError> {
        let component = self.component;
        let malformed = |error: wasmparser::BinaryReaderError| LoadError::Invalid {
            component: component.to_owned(),
            reason: error.to_string(),
        };
        match payload {
            Payload::Version { encoding, .. } => {
                let is_module = encoding == wasmparser::Encoding::Module;
                let laid_out = LaidOut { instances: u64::from(is_module), bytes: 0 };
                self.open.push(Scope { is_module, laid_out, ..Scope::default() });
                self.code.modules += u64::from(is_module);
                self.most(
                    self.open.len() as u64,
                    self.limits.component_depth,
                    "components inside each other",
                    "component_depth",
                )?;
                self.most(self.code.modules, self.limits.modules, "core modules", "modules")?;
            }
            Payload::End(_) => {
                let Some(done) = self.open.pop() else { return Ok(()) };
                let Some(outer) = self.open.last_mut() else { return Ok(()) };
                let space = if done.is_module { &mut outer.modules } else { &mut outer.components };
                space.push(done.laid_out);
            }
            Payload::FunctionSection(section) => self.items(section.count()),
            Payload::GlobalSection(section) => self.items(section.count()),
            Payload::TableSection(section) => self.items(section.count()),
            Payload::MemorySection(section) => self.items(section.count()),
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    import.map_err(malformed)?;
                    self.items(1);
                }
            }
            Payload::CodeSectionEntry(body) => self.function(&body)?,
            Payload::ComponentImportSection(section) => {
                for import in section {
                    let import = import.map_err(malformed)?;
                    if matches!(import.ty, ComponentTypeRef::Module(_) | ComponentTypeRef::Component(_)) {
                        return Err(self.unknown());
                    }
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section {
                    self.alias(alias.map_err(malformed)?)?;
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    let export = export.map_err(malformed)?;
                    self.again(export.kind, 0, export.index)?;
                }
            }
            Payload::InstanceSection(section) => {
                for instance in section {
                    if let Instance::Instantiate { module_index, .. } = instance.map_err(malformed)? {
                        self.instantiate(ComponentExternalKind::Module, module_index)?;
                    }
                }
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section {
                    if let ComponentInstance::Instantiate { component_index, .. } = instance.map_err(malformed)? {
                        self.instantiate(ComponentExternalKind::Component, component_index)?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn function(&mut self, body: &FunctionBody<'_>) -> Result<(), LoadError> {
        let limits = self.limits;
        let range = body.range();
        let size = range.end.saturating_sub(range.start);
        let measured = (|| Ok((locals(body)?, branches(body)?)))();
        let (locals, branches) =
            measured.map_err(|error: wasmparser::BinaryReaderError| self.invalid(error.to_string()))?;
        let effort = effort(branches, locals);
        self.code.functions += 1;
        self.code.bytes = self.code.bytes.saturating_add(size);
        self.code.effort = self.code.effort.saturating_add(effort);
        self.most(size, limits.function, "bytes in one function", "function")?;
        self.most(locals, limits.function_locals, "local variables in one function", "function_locals")?;
        self.most(effort, limits.function_effort, "points for the branches of one function", "function_effort")?;
        self.most(self.code.functions, limits.functions, "functions", "functions")?;
        self.most(self.code.bytes, limits.code, "bytes of code", "code")?;
        self.most(self.code.effort, limits.compile_effort, "points for the branches of its functions", "compile_effort")
    }

    fn items(&mut self, count: u32) {
        if let Some(scope) = self.open.last_mut() {
            scope.laid_out.bytes = scope.laid_out.bytes.saturating_add(u64::from(count) * ITEM);
        }
    }

    /// A name for what there is already.
    fn alias(&mut self, alias: ComponentAlias<'_>) -> Result<(), LoadError> {
        match alias {
            ComponentAlias::Outer { kind: ComponentOuterAliasKind::CoreModule, count, index } => {
                self.again(ComponentExternalKind::Module, count, index)
            }
            ComponentAlias::Outer { kind: ComponentOuterAliasKind::Component, count, index } => {
                self.again(ComponentExternalKind::Component, count, index)
            }
            ComponentAlias::InstanceExport {
                kind: ComponentExternalKind::Module | ComponentExternalKind::Component,
                ..
            } => Err(self.unknown()),
            _ => Ok(()),
        }
    }

    /// What has `index` in the scope `outwards` from here has another index here as well.
    fn again(&mut self, kind: ComponentExternalKind, outwards: u32, index: u32) -> Result<(), LoadError> {
        if !matches!(kind, ComponentExternalKind::Module | ComponentExternalKind::Component) {
            return Ok(());
        }
        let found = self.find(kind, outwards, index)?;
        if let Some(scope) = self.open.last_mut() {
            let space = if kind == ComponentExternalKind::Module { &mut scope.modules } else { &mut scope.components };
            space.push(found);
        }
        Ok(())
    }

    fn instantiate(&mut self, kind: ComponentExternalKind, index: u32) -> Result<(), LoadError> {
        let mut sum = self.find(kind, 0, index)?;
        // An instance of a component is one as well, whatever is in it.
        sum.instances = sum.instances.saturating_add(u64::from(kind == ComponentExternalKind::Component));
        if let Some(scope) = self.open.last_mut() {
            scope.laid_out.add(sum);
            sum = scope.laid_out;
        }
        self.most(sum.instances, self.limits.instances, "instances of its parts", "instances")?;
        self.most(sum.bytes, self.limits.instance_memory, "bytes to lay its instances out", "instance_memory")
    }

    fn find(&self, kind: ComponentExternalKind, outwards: u32, index: u32) -> Result<LaidOut, LoadError> {
        let scope = self.open.iter().rev().nth(outwards as usize);
        let space =
            scope.map(|scope| if kind == ComponentExternalKind::Module { &scope.modules } else { &scope.components });
        let found = space.and_then(|space| space.get(index as usize)).copied();
        found.ok_or_else(|| self.invalid(format!("it has no module or component of the index {index}")))
    }

    fn most(&self, found: u64, limit: u64, what: &'static str, field: &'static str) -> Result<(), LoadError> {
        if found <= limit {
            return Ok(());
        }
        Err(LoadError::TooHeavy { component: self.component.to_owned(), found, limit, what, field })
    }

    fn unknown(&self) -> LoadError {
        self.invalid("it instantiates what it does not hold, so that nobody can say how large it is".to_owned())
    }

    fn invalid(&self, reason: String) -> LoadError {
        LoadError::Invalid { component: self.component.to_owned(), reason }
    }
}

/// What is alive is looked at again at every branch, so that time goes with their square; and memory with the locals, each
/// of which may get another value at every branch.
fn effort(branches: u64, locals: u64) -> u64 {
    branches.saturating_mul(branches.saturating_add(locals.saturating_mul(LOCAL)).saturating_add(BRANCH))
}

fn locals(body: &FunctionBody<'_>) -> wasmparser::Result<u64> {
    let mut sum = 0_u64;
    for locals in body.get_locals_reader()? {
        sum += u64::from(locals?.0);
    }
    Ok(sum)
}

/// The branches of a function, each as heavy as it is to compile.
fn branches(body: &FunctionBody<'_>) -> wasmparser::Result<u64> {
    let mut sum = 0_u64;
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        sum += match operators.read()? {
            Operator::Loop { .. } => LOOP,
            Operator::If { .. }
            | Operator::Br { .. }
            | Operator::BrIf { .. }
            | Operator::Call { .. }
            | Operator::ReturnCall { .. } => 1,
            Operator::BrTable { targets } => 1 + u64::from(targets.len()),
            Operator::CallIndirect { .. }
            | Operator::ReturnCallIndirect { .. }
            | Operator::MemoryGrow { .. }
            | Operator::MemoryCopy { .. }
            | Operator::MemoryFill { .. }
            | Operator::MemoryInit { .. }
            | Operator::DataDrop { .. }
            | Operator::TableGet { .. }
            | Operator::TableSet { .. }
            | Operator::TableGrow { .. }
            | Operator::TableCopy { .. }
            | Operator::TableFill { .. }
            | Operator::TableInit { .. }
            | Operator::ElemDrop { .. } => OUT,
            _ => 0,
        };
    }
    Ok(sum)
}
