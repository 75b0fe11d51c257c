import BudgetModel

/// The key of every slot there is, without a text for each: names in one pool, windows by number.
struct SlotKeys: Sendable {
  /// The key of one slot: 12 bytes.
  private struct Key: Sendable {
    var name: NamePool.Name
    var scope: BudgetScope
    var window: Int32
  }

  private var keys: [Key] = []
  /// The names of all keys.
  private(set) var names = NamePool()
  /// The texts of windows, each once; a configuration has a handful.
  private var windows: [String] = []
  private var windowNumbers: [ExactText: Int32] = [:]
  /// The length that each text means; nil for a calendar's, and until a budget in force has it.
  private var lengths: [WindowLength?] = []

  var count: Int { keys.count }

  /// Makes room for `count` keys more, and `nameBytes` of names.
  mutating func reserve(_ count: Int, nameBytes: Int) {
    keys.reserveCapacity(keys.count + count)
    names.reserve(nameBytes)
  }

  /// The key of `slot` as texts.
  subscript(slot: Int32) -> BudgetKey {
    let key = keys[Int(slot)]
    return BudgetKey(
      scope: key.scope, name: names.text(of: key.name), windowText: windows[Int(key.window)])
  }

  func scope(of slot: Int32) -> BudgetScope { keys[Int(slot)].scope }
  func name(of slot: Int32) -> NamePool.Name { keys[Int(slot)].name }
  func window(of slot: Int32) -> Int32 { keys[Int(slot)].window }
  func windowText(of slot: Int32) -> String { windows[Int(keys[Int(slot)].window)] }

  /// The length of the window of `slot`, a budget of LiteLLM's that is or was in force.
  func windowLength(of slot: Int32) -> WindowLength {
    guard let length = lengths[Int(keys[Int(slot)].window)] else {
      preconditionFailure("a budget in force whose window has no length")
    }
    return length
  }

  /// The number of a window's text.
  mutating func window(text: String) -> Int32 {
    if let number = windowNumbers[ExactText(text)] { return number }
    let number = Int32(windows.count)
    windows.append(text)
    lengths.append(nil)
    windowNumbers[ExactText(text)] = number
    return number
  }

  /// The number of a window's text, where some key has it.
  func knownWindow(text: String) -> Int32? { windowNumbers[ExactText(text)] }

  /// Notes what the text of window `number` means.
  mutating func note(_ length: WindowLength, ofWindow number: Int32) {
    if lengths[Int(number)] == nil { lengths[Int(number)] = length }
  }

  /// Whether the windows of `slot` are a calendar's.
  func isCalendar(_ slot: Int32) -> Bool { lengths[Int(keys[Int(slot)].window)] == nil }

  /// Whether the slot was given back and belongs to no budget.
  func isFree(_ slot: Int32) -> Bool { keys[Int(slot)].window == Self.free }

  /// The window's number that marks a free slot.
  private static let free: Int32 = -1

  /// The slot belongs to no budget from now on.
  mutating func clear(_ slot: Int32) { keys[Int(slot)].window = Self.free }

  /// Gives a free slot a key.
  mutating func set(_ slot: Int32, scope: BudgetScope, name: NamePool.Name, window: Int32) {
    keys[Int(slot)] = Key(name: name, scope: scope, window: window)
  }

  /// Moves all names to `names`, each slot's to the place that `places` has for it.
  mutating func move(to names: NamePool, places: [NamePool.Name?]) {
    self.names = names
    for (slot, place) in places.enumerated() {
      if let place { keys[slot].name = place }
    }
  }

  /// Adds a slot that belongs to no budget here.
  mutating func appendFree() {
    keys.append(Key(name: names.append(.absent), scope: .tag, window: Self.free))
  }

  /// Whether a window has that number.
  func hasWindow(_ number: Int32) -> Bool { Int(number) < windows.count }

  /// The text of window `number`.
  func text(ofWindow number: Int32) -> String { windows[Int(number)] }

  /// Adds the key of the next slot.
  mutating func append(scope: BudgetScope, name: NamePool.Name, window: Int32) {
    keys.append(Key(name: name, scope: scope, window: window))
  }

  /// Adds a name to the pool.
  mutating func append(name: NameBytes) -> NamePool.Name { names.append(name) }

  /// Gives the key of `slot` another window.
  mutating func setWindow(_ window: Int32, of slot: Int32) { keys[Int(slot)].window = window }
}
