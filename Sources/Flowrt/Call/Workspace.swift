// The workspace: one piece of the caller's memory, carved into the parts that a call needs (docs/SWEEP.md).

import CFlowrt
import FlowrtShim

/// Offsets, in bytes, of the parts of a workspace for tiles of `rows` rows. The same on every CPU.
struct WorkspaceLayout {
  private(set) var size: UInt64 = 0
  /// The plan comes first.
  let plan: PlanLayout
  let prologue, planes, contextTile, encoder, state, read, other, logScale, transformerScratch,
    logSum, activations: UInt64

  init(_ view: flowrt_view, rows: UInt64) {
    var end: UInt64 = 0
    func part(_ bytes: UInt64) -> UInt64 {
      let start = end
      end = (end &+ bytes &+ 63) & ~63
      return start
    }
    // Few rows are a part of every call that has room for a tile, single rows of every call.
    let few = min(rows, UInt64(FLOWRT_FEW_ROWS))
    let fewRows = few &* flowrt_row_stride(UInt64(view.dim))
    let tile = max(UInt64(view.dim) &* rows, fewRows)
    // Vectors may reach past the last unit.
    let fewUnits = (few &- 1) &* flowrt_unit_stride(view.activations_size) &+ view.activations_size
    let units = max(view.activations_size &* rows, fewUnits) &+ 32
    plan = PlanLayout(view)
    _ = part(plan.size)
    prologue = part(view.prologue_size &* 4)
    planes = part(view.planes_size &* 4)
    // Contexts are encoded by rows, each in the prologue, or one by one.
    let encodesTiles = rows > 1 && view.has_encoder_planes == 0
    contextTile = part(encodesTiles ? UInt64(view.context_dim) &* rows &* 4 : 0)
    let encodedRows = encodesTiles ? rows : view.has_encoder_planes != 0 ? 1 : 0
    encoder = part(view.encoder_size &* encodedRows &* 4)
    state = part(tile &* 4)
    read = part(tile &* 4)
    other = part(fewRows &* 4)
    logScale = part(fewRows &* 4)
    transformerScratch = part(16 &* (UInt64(view.scratch_columns) &+ 3) &* 4)
    logSum = part(3 &* rows &* 4)
    activations = part(units &* 4)
    size = end
  }
}

/// What a gradient has besides (docs/GRADIENTS.md), in place of the activations, which come last.
struct GradientLayout {
  private(set) var size: UInt64
  let units, sums, encoderSums, sides, byState, byRead, byUnits, byContext, byCallersContext, columns: UInt64

  init(_ view: flowrt_view, rows: UInt64, behind layout: WorkspaceLayout) {
    var end = layout.activations
    // Floats for each row of a tile.
    func part(_ floats: UInt64, if isNeeded: Bool = true) -> UInt64 {
      let start = end
      if isNeeded { end = (end &+ floats &* rows &* 4 &+ 63) & ~63 }
      return start
    }
    let ofNetworks = UInt64(view.network_count) &* view.activations_size
    let keepsSums = view.keeps_sums != 0
    units = part(ofNetworks)
    sums = part(ofNetworks, if: keepsSums)
    encoderSums = part(view.encoder_size, if: keepsSums)
    sides = part(UInt64(view.step_count) &* UInt64(view.dim))
    byState = part(UInt64(view.dim))
    byRead = part(UInt64(view.dim))
    byUnits = part(max(view.activations_size, view.encoder_size))
    byContext = part(UInt64(view.encoded_dim))
    byCallersContext = part(UInt64(view.context_dim), if: view.encoder_layers != 0)
    columns = end
    // What a transformer needs itself, and a few columns of 16 floats more.
    size = columns &+ 16 &* (UInt64(view.scratch_columns) &+ 8) &* 4
  }
}

/// The largest tile that a call of `count` rows can use. Planes are evaluated row by row.
func tileRows(_ view: flowrt_view, _ count: UInt64) -> UInt64 {
  if count <= 1 || view.has_step_planes != 0 { return 1 }
  return count >= UInt64(FLOWRT_TILE_ROWS) ? UInt64(FLOWRT_TILE_ROWS) : (count &+ 15) & ~15
}

/// Bytes for calls of up to `count` rows.
func workspaceSize(_ view: flowrt_view, _ count: UInt64) -> UInt64 {
  WorkspaceLayout(view, rows: tileRows(view, count)).size
}

/// Bytes for gradients of up to `count` rows, which always take tiles.
func gradientWorkspaceSize(_ view: flowrt_view, _ count: UInt64) -> UInt64 {
  let rows = tileRows(view, max(count, 16))
  return GradientLayout(view, rows: rows, behind: WorkspaceLayout(view, rows: rows)).size
}
