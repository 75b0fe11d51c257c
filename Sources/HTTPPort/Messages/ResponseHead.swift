import BudgetModel

/// The line and the headers of a response.
enum ResponseHead {
  /// The bytes up to and with the empty line.
  static func bytes(
    of response: HTTPResponse, keepsAlive: Bool, at now: Timestamp
  ) -> [UInt8] {
    var text = "HTTP/1.1 \(response.status.rawValue) \(response.status.reason)\r\n"
    text += "Content-Type: \(response.contentType)\r\n"
    text += "Content-Length: \(response.body.bytes.count)\r\n"
    text += "Connection: \(keepsAlive ? "keep-alive" : "close")\r\n"
    text += "Date: \(date(now))\r\n"
    text += "Cache-Control: no-store\r\n"
    text += "X-Content-Type-Options: nosniff\r\n"
    for (name, value) in response.headers { text += "\(name): \(value)\r\n" }
    text += "\r\n"
    return Array(text.utf8)
  }

  private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
  private static let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]

  /// `Thu, 15 Jan 2026 00:00:00 GMT`.
  static func date(_ now: Timestamp) -> String {
    let text = Array(now.iso8601)
    let (year, month, day) = (text[0..<4], Int(String(text[5..<7])), text[8..<10])
    let milliseconds = now.unixMilliseconds
    let dayLength: Int64 = 86_400_000
    let days = (milliseconds - (milliseconds % dayLength + dayLength) % dayLength) / dayLength
    // 1970-01-01 was a Thursday.
    let weekday = weekdays[Int((days % 7 + 11) % 7)]
    let monthName = months[(month ?? 1) - 1]
    return "\(weekday), \(String(day)) \(monthName) \(String(year)) \(String(text[11..<19])) GMT"
  }
}
