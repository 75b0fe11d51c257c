/// Tickets in the order of their turns. Those of calls that are over stay until their turn or
/// until they outnumber the others; the taker passes over them.
struct TicketQueue {
  private var tickets: [Call.Ticket] = []
  private var head = 0

  /// How many are held, those of calls that are over included.
  var count: Int { tickets.count - head }

  mutating func append(_ ticket: Call.Ticket) { tickets.append(ticket) }

  /// Puts tickets before all others.
  mutating func prepend(_ first: [Call.Ticket]) {
    tickets.replaceSubrange(..<head, with: first)
    head = 0
  }

  mutating func popFirst() -> Call.Ticket? {
    guard head < tickets.count else { return nil }
    let ticket = tickets[head]
    head += 1
    // Moving what is left pays for itself once as many were taken.
    if head > 32, head * 2 > tickets.count {
      tickets.removeFirst(head)
      head = 0
    }
    return ticket
  }

  /// Forgets the tickets that do not satisfy `isAlive`.
  mutating func removeAll(except isAlive: (Call.Ticket) -> Bool) {
    tickets = tickets[head...].filter(isAlive)
    head = 0
  }
}
