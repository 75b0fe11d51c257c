extension StatusPage {
  /// Amounts and times as people read them. Amounts come as text with all their decimals and are
  /// cut as text: no number in between rounds them.
  static let scriptTexts = #"""
    "use strict";
    const byID = (id) => document.getElementById(id);

    function parts(amount) {
      const [, minus, whole, decimals = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(amount);
      return { minus, whole: whole.replace(/\B(?=(\d{3})+$)/g, ","), decimals };
    }

    // $1,234.50: at least two decimals, at most those that there are.
    function exactMoney(amount) {
      const { minus, whole, decimals } = parts(amount);
      return `${minus ? "-" : ""}$${whole}.${decimals.padEnd(2, "0")}`;
    }

    // Cut to cents, below a dollar to three digits that count: never more than there is, and
    // nothing that is not zero looks like it.
    function money(amount) {
      const { minus, whole, decimals } = parts(amount);
      let kept = 2;
      if (whole === "0") {
        const first = decimals.search(/[1-9]/);
        if (first >= 0) kept = Math.max(2, first + 3);
      }
      const cut = decimals.slice(0, kept).replace(/0+$/, "").padEnd(2, "0");
      return `${minus ? "-" : ""}$${whole}.${cut}`;
    }

    function hourly(dollarsPerSecond) {
      const dollars = dollarsPerSecond * 3600;
      if (dollars === 0) return "$0.00/h";
      if (dollars < 1e-12) return "< $0.000000000001/h";
      if (dollars < 1e4) return `${money(dollars.toFixed(12))}/h`;
      return `$${dollars.toLocaleString("en-US", { maximumFractionDigits: 0 })}/h`;
    }

    const units = [["y", 31557600], ["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

    // The two largest units that are not zero.
    function duration(milliseconds) {
      const seconds = Math.ceil(milliseconds / 1000);
      const first = units.findIndex(([, length]) => seconds >= length);
      if (first < 0) return "0 s";
      const [name, length] = units[first];
      const text = `${Math.floor(seconds / length)} ${name}`;
      if (first + 1 === units.length) return text;
      const [nextName, nextLength] = units[first + 1];
      const rest = Math.floor((seconds % length) / nextLength);
      return rest > 0 ? `${text} ${rest} ${nextName}` : text;
    }

    // Rounded down: 100 % means that the limit was reached.
    function percent(ratio) {
      const whole = Math.floor(ratio * 100);
      if (whole > 999) return "> 999 %";
      return whole === 0 && ratio > 0 ? "< 1 %" : `${whole} %`;
    }

    const count = (number) => number.toLocaleString("en-US");
    const plural = (number, one, many) => `${count(number)} ${number === 1 ? one : many}`;
    const clock = (ms) => new Date(ms).toISOString().replace("T", " ").replace(/\..*/, " UTC");

    // Characters that turn the direction of what follows are shown as what they are: they could
    // make one name look like another.
    const turning = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
    const shownName = (name) => name.replace(turning,
      (one) => `⟨U+${one.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);

    // Writes only what is new, so that nothing is laid out again for nothing.
    function setText(element, text) {
      if (element.textContent !== text) element.textContent = text;
    }

    function setTitle(element, text) {
      if (element.title !== text) element.title = text;
    }

    function made(name, text, className) {
      const element = document.createElement(name);
      element.textContent = text;
      if (className) element.className = className;
      return element;
    }

    """#
}
