import BudgetModel
import TimeZones

/// Time zones and the windows in them, each made once for all budgets that have it.
struct CalendarTables {
  private let lookup: LiteLLMConfigLoader.ZoneLookup
  private var zones: [ExactText: ZoneTable] = [:]
  private var windows: Set<CalendarWindows> = []

  /// Tables of the zones that `lookup` finds.
  init(_ lookup: @escaping LiteLLMConfigLoader.ZoneLookup) { self.lookup = lookup }

  /// The table of the zone of that IANA name. UTC needs no file.
  mutating func zone(named name: String) throws(ZoneError) -> ZoneTable {
    guard name != ZoneTable.utc.name else { return .utc }
    if let zone = zones[ExactText(name)] { return zone }
    let zone = try lookup(name)
    zones[ExactText(name)] = zone
    return zone
  }

  /// The windows of a unit in a zone.
  mutating func windows(_ unit: CalendarUnit, in zone: ZoneTable, firstDay: Int = 1)
    -> CalendarWindows
  {
    windows.insert(CalendarWindows(unit: unit, zone: zone, firstDay: firstDay)).memberAfterInsert
  }
}
