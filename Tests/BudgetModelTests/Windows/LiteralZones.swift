import BudgetModel

/// Some years of some zones, as Python's zoneinfo has them.
enum LiteralZones {
  static let all: [ZoneTable] = [
    .utc,
    zone(
      "Europe/Berlin", 3600,
      [
        (1_774_746_000, 7_200), (1_792_890_000, 3_600), (1_806_195_600, 7_200),
        (1_824_944_400, 3_600), (2_184_800_400, 7_200), (2_203_549_200, 3_600),
        (2_216_250_000, 7_200), (2_234_998_800, 3_600),
      ]),
    zone(
      "America/New_York", -18000,
      [
        (1_772_953_200, -14_400), (1_793_512_800, -18_000),
      ]),
    zone(
      "Australia/Lord_Howe", 39600,
      [
        (1_775_314_800, 37_800), (1_791_041_400, 39_600),
      ]),
    zone(
      "Pacific/Apia", -36000,
      [
        (1_301_752_800, -39_600), (1_316_872_800, -36_000), (1_325_239_200, 50_400),
      ]),
    zone(
      "Pacific/Kwajalein", -43200,
      [
        (745_934_400, 43_200)
      ]),
    zone(
      "Africa/Casablanca", 3600,
      [
        (1_771_120_800, 0), (1_774_144_800, 3_600),
      ]),
    zone(
      "America/Havana", -18000,
      [
        (1_772_946_000, -14_400), (1_793_509_200, -18_000),
      ]),
    zone(
      "America/Sao_Paulo", -7200,
      [
        (1_518_919_200, -10_800), (1_541_300_400, -7_200),
      ]),
    zone(
      "America/St_Johns", -12600,
      [
        (1_268_537_460, -9_000), (1_289_097_060, -12_600),
      ]),
    zone(
      "America/Juneau", 54139,
      [
        (-3_225_223_727, -32_261)
      ]),
    zone(
      "Asia/Kathmandu", 19800,
      [
        (504_901_800, 20_700)
      ]),
  ]

  private static func zone(_ name: String, _ first: Int32, _ changes: [(Int64, Int32)]) -> ZoneTable
  {
    ZoneTable(
      name: name, firstOffset: first,
      transitions: changes.map { ZoneTable.Transition(at: $0.0, offset: $0.1) })
  }
}
