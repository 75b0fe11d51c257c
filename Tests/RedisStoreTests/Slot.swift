/// The slot of a key in a Redis cluster: CRC-16 (XMODEM) of the key, or of its hash tag.
enum Slot {
  static func of(_ key: [UInt8]) -> Int {
    var part = key[...]
    if let open = key.firstIndex(of: UInt8(ascii: "{")),
      let close = key[open...].firstIndex(of: UInt8(ascii: "}")), close > open + 1
    {
      part = key[(open + 1)..<close]
    }
    var crc: UInt16 = 0
    for byte in part {
      crc ^= UInt16(byte) << 8
      for _ in 0..<8 { crc = crc & 0x8000 != 0 ? (crc << 1) ^ 0x1021 : crc << 1 }
    }
    return Int(crc % 16_384)
  }
}
