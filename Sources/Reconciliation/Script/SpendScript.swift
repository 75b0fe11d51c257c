public import RedisStore

/// The script that merges one node's totals of one window into Redis.
///
/// State, not deltas: each origin (one life of a node) sends all that it has spent in the window, the
/// larger value wins, and only the difference reaches the spend key. So repeats, reorderings and
/// late arrivals change nothing, and what Redis lost comes back with the next call. All checks stand
/// before the first write, and the only write that Redis may refuse (memory, a replica) comes first:
/// a refused call has changed nothing.
public enum SpendScript {
  /// The script as Redis runs it.
  public static let script = RedisScript(text)

  /// The text, for Lua 5.1 as Redis has it and for 5.4.
  public static let text = #"""
    local unpack = table.unpack or unpack
    -- KEYS[1] K  the spend key as LiteLLM names it: decimal dollars
    -- KEYS[2] M  the marker, in K's slot: a hash
    --   v w fin sum t e prev rk rf c:<origin> ...
    --   w    the window, its start key's value cut to ms      fin  its last ms on Redis' clock
    --   sum  of all c:*                                       t    K after our last write
    --   prev the open window that this one replaced           rk   K when M was made
    --   rf   windows that end by then are over: a reset       e    a random word for this life of M
    --   ra   the window that the last reset began
    -- KEYS[3] H  claims on what is left, in K's slot: a hash; left out: the call claims nothing
    --   <origin> "q a x"   in its call number q it claimed a beyond its spend, until x on this clock
    --   s n  sum and number of the claims above 0             x    none ends before
    --   lt   until then no claim is raised                    w    the window they were last used in
    -- ARGV[1] SYNC | RESET   [2] w   [3] fin   [4] length in ms   [5] a random word
    -- ARGV[6] K when this node was last told what of its own M holds, 0: never
    -- ARGV[7] '-', or F: K expires late and the start key was read again unchanged,
    --   and R: a reset has begun the window
    -- With H: [8] the living origin   [9] the number of the call: it grows   [10] that of the last
    --   answered call which left a claim, 0: none   [11] the claim it keeps: always granted
    --   [12] for how long, ms   [13] the total it was told last, 0: never   [14] the limit or '-'
    --   [15] how much more it would like   [16] less than that is of no use
    --   [17] amounts that wait, in order, by comma   [18] ended lives of the node, by comma
    -- ARGV[8.. or 19..] triples: origin, its cumulative spend, what was confirmed of it
    -- reply {code, w, fin, prev, rf, K, sum, now, epoch, added, stored ...}
    --   with H, where the window was agreed on, then {state, claim, others' claims, free, claimants, lt}
    -- Or many budgets' calls of one window, each with one origin and no flag, keys K M K M ...:
    -- ARGV[1] MANY   [2] w   [3] fin   [4] length   [5] a random word   then of each budget four:
    --   K when this node was last told, origin, its cumulative spend, what was confirmed of it
    -- reply of each: K alone, where the marker has the cumulative spend now; else as above
    local ZERO = '0.000000000000'
    -- Billions of dollars, dollars, pico-dollars: each is exact in a double, up to 10^24 dollars.
    local function split(s)
      local d, f = string.match(s, '^(%d+)%.(%d%d%d%d%d%d%d%d%d%d%d%d)$')
      if not d or #d > 24 then return nil end
      if #d <= 9 then return 0, tonumber(d), tonumber(f) end
      return tonumber(string.sub(d, 1, -10)), tonumber(string.sub(d, -9)), tonumber(f)
    end
    local function join(g, d, f)
      if f >= 1000000000000 then d = d + 1; f = f - 1000000000000 end
      if f < 0 then d = d - 1; f = f + 1000000000000 end
      if d >= 1000000000 then g = g + 1; d = d - 1000000000 end
      if d < 0 then g = g - 1; d = d + 1000000000 end
      if g == 0 then return string.format('%.0f.%012.0f', d, f) end
      return string.format('%.0f%09.0f.%012.0f', g, d, f)
    end
    local function add(a, b)
      local ag, ad, af = split(a)
      local bg, bd, bf = split(b)
      return join(ag + bg, ad + bd, af + bf)
    end
    local function sub(a, b)
      local ag, ad, af = split(a)
      local bg, bd, bf = split(b)
      return join(ag - bg, ad - bd, af - bf)
    end
    local function less(a, b)
      local ag, ad, af = split(a)
      local bg, bd, bf = split(b)
      if ag ~= bg then return ag < bg end
      return ad < bd or (ad == bd and af < bf)
    end
    -- A number as Redis or LiteLLM write it, cut to twelve decimals; not negative.
    local function decimal(text, number)
      local d, f = string.match(text, '^(%d+)%.?(%d*)$')
      if d and #d <= 24 then return d .. '.' .. string.sub(f .. '000000000000', 1, 12) end
      return number > 0 and string.format('%.12f', number) or ZERO
    end
    local function num(a) local g, d, f = split(a); return g * 1e9 + d + f / 1e12 end
    local function int(n) return string.format('%.0f', n) end
    local function eps(x) return 1e-12 + math.abs(x) * 1e-12 end

    -- An amount of a claim: less than 10^15 dollars, so that no sum of claims is too long to be read.
    local function part(s) return s and #s <= 28 and split(s) end
    -- A sum that is too long to be read is above every limit.
    local function bounded(s)
      return split(s) and s or string.rep('9', 24) .. '.' .. string.rep('9', 12)
    end

    -- Whether the eleven arguments of a claim can be used.
    local function claimable(ARGV)
      if #ARGV < 18 or not tonumber(ARGV[9]) or not tonumber(ARGV[10]) or not tonumber(ARGV[13])
          or not string.find(ARGV[12], '^%d+$') or not string.find(ARGV[8], '.', 1, true)
          or not part(ARGV[11]) or not part(ARGV[15]) or not part(ARGV[16])
          or (ARGV[14] ~= '-' and not split(ARGV[14])) then return false end
      for x in string.gmatch(ARGV[17], '[^,]+') do
        if not part(x) then return false end
      end
      return true
    end
    -- What H holds: number and amount of the caller's claim, others' sum, claimants with the caller.
    local function claims(H, origin, gone, now)
      local h = redis.call('HMGET', H, 'lt', 's', 'n', 'x', origin)
      local q, a = string.match(h[5] or '', '^(%d+) (%S+) %d+$')
      if not part(a) then q, a = nil, nil end
      local c = {q = tonumber(q or ''), others = ZERO, n = 1, ends = tonumber(h[4] or ''), dead = {}}
      c.lt = math.min(tonumber(h[1] or '') or 0, now + 2000)  -- this clock may have gone back
      local count = tonumber(h[3] or '')
      if h[2] and split(h[2]) and count and c.ends and now <= c.ends and gone == ''
          and (not h[5] or c.q) then
        c.others, c.n = h[2], count + 1
        if c.q and less(ZERO, a) then
          -- Less than the caller's own: somebody has spoilt it.
          c.others, c.n = less(h[2], a) and ZERO or sub(h[2], a), count
        end
        return c
      end
      -- A claim may have ended: everybody's are looked at.
      local all, over = redis.call('HGETALL', H), {}
      for life in string.gmatch(gone, '[^,]+') do over[life] = true end
      c.ends = nil
      for i = 1, #all, 2 do
        local f = all[i]
        if f ~= origin and string.find(f, '.', 1, true) then
          local fq, fa, x = string.match(all[i + 1], '^(%d+) (%S+) (%d+)$')
          x = tonumber(x or '')
          if not fq or not part(fa) or over[f] or x < now then c.dead[#c.dead + 1] = f
          else
            if less(ZERO, fa) then c.others, c.n = add(c.others, fa), c.n + 1 end
            c.ends = math.min(c.ends or x, x)
          end
        end
      end
      return c
    end
    -- The caller's claim from now on. What it holds already it may keep: it is out. More it gets only
    -- while the fleet's spend and everybody's claims stay within the limit.
    local function raise(H, c, ARGV, w, now, total)
      local origin, q, qa, mine = ARGV[8], tonumber(ARGV[9]), tonumber(ARGV[10]), ARGV[11]
      local life, known, limit = tonumber(ARGV[12]), tonumber(ARGV[13]), ARGV[14]
      -- A later call of this origin was here before: it has said what is claimed.
      if c.q and c.q >= q then return {'OLD', ZERO, c.others, ZERO, int(c.n), int(c.lt)} end
      if known > num(total) + eps(known) or (qa > 0 and (not c.q or c.q < qa)) then
        c.lt = now + 2000                       -- something was lost: let everybody speak first
      end
      local state, free = 'OK', ZERO
      if limit ~= '-' then
        local used = bounded(add(bounded(add(total, c.others)), mine))
        if less(used, limit) then free = sub(limit, used) end
        if now < c.lt then
          state = 'LEARN'
        else
          for x in string.gmatch(ARGV[17], '[^,]+') do
            if not less(free, x) then mine, free = add(mine, x), sub(free, x) end
          end
          local extra = math.min(num(ARGV[15]), num(free) / (2 * c.n))
          local text = string.format('%.6f000000', math.floor(extra * 1e6) / 1e6)
          if less(ZERO, text) and not less(text, ARGV[16]) and not less(free, text) then
            mine, free = add(mine, text), sub(free, text)
          end
        end
      end
      for _, f in ipairs(c.dead) do redis.call('HDEL', H, f) end
      local ends = now + life
      -- A claim of nothing stays too, for its number: a call that comes late must not raise it again.
      redis.call('HSET', H, origin, int(q) .. ' ' .. mine .. ' ' .. int(ends), 'w', int(w),
        'lt', int(c.lt), 's', add(c.others, mine), 'n', int(less(ZERO, mine) and c.n or c.n - 1),
        'x', int(math.min(c.ends or ends, ends)))
      if redis.call('PTTL', H) < life + 60000 then redis.call('PEXPIREAT', H, int(ends + 60000)) end
      return {state, mine, c.others, free, int(c.n), int(c.lt)}
    end

    local function one(KEYS, ARGV)
    local K, M, H = KEYS[1], KEYS[2], KEYS[3]
    local first = H and 19 or 8

    -- 1. arguments: refused before anything is read
    local op, w, fin, len = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
    local seen = tonumber(ARGV[6])
    if not (w and fin and len and seen) or len <= 0 or #ARGV < first - 1
        or (#ARGV - first + 1) % 3 ~= 0
        or (op ~= 'SYNC' and op ~= 'RESET') or (op == 'RESET' and #ARGV > 7) then
      return redis.error_reply('BDARG bad arguments')
    end
    if H and not claimable(ARGV) then return redis.error_reply('BDARG bad claim') end
    for i = first, #ARGV, 3 do
      if not split(ARGV[i + 1]) or not split(ARGV[i + 2]) then
        return redis.error_reply('BDARG bad amount')
      end
    end

    -- 2. reads; a key of another type fails here
    local tm = redis.call('TIME')
    local now = tonumber(tm[1]) * 1000 + math.floor(tonumber(tm[2]) / 1000)
    local m = redis.call('HMGET', M, 'w', 'fin', 'sum', 't', 'e', 'rk', 'prev', 'rf', 'ra')
    local mw, mfin = tonumber(m[1] or ''), tonumber(m[2] or '')
    local sum, t, epoch, rk = m[3] or ZERO, m[4] or '0', m[5] or '', tonumber(m[6] or '')
    local prev, rf, ra = m[7] or '', m[8] or '', m[9] or ''
    if not split(sum) then return redis.error_reply('BDTYPE the marker holds no amount') end
    local kraw = redis.call('GET', K)
    local k = kraw and tonumber(kraw)
    if kraw and (not k or k ~= k or math.abs(k) == math.huge) then
      return redis.error_reply('BDTYPE the spend key is not a number')
    end
    local kp = redis.call('PTTL', K)
    local kexp = kp >= 0 and now + kp or nil
    local slack = math.min(5000, math.floor(len / 4))
    local c = H and claims(H, ARGV[8], ARGV[18], now)
    local function reply(code, added, ...)
      return {code, int(w), int(fin), prev, rf, redis.call('GET', K) or '', sum, int(now), epoch,
        added, ...}
    end
    local function create()
      redis.call('DEL', M)
      redis.call('HSET', M, 'v', '1', 'w', int(w), 'fin', int(fin), 'sum', sum, 't', t, 'e', epoch,
        'prev', prev, 'rf', rf)
      if rk then redis.call('HSET', M, 'rk', string.format('%.17g', rk)) end
      if ra ~= '' then redis.call('HSET', M, 'ra', ra) end
      redis.call('PEXPIREAT', M, int(fin + 600000))
    end

    -- 3. an operator's reset: the window that was is over, whatever it held
    if op == 'RESET' then
      if now > fin then return reply('STALE', ZERO) end
      if mw == w then return reply('OK', ZERO) end
      -- A later one was first, or the window has ended since and this one is another.
      if (tonumber(ra) or 0) >= w then return reply('STALE', ZERO) end
      if mw and now <= mfin and mfin > fin and mw > w then return reply('STALE', ZERO) end
      -- Not only M's window: there may be one that nobody has pushed to yet.
      prev, rf = mw and int(mw) or '', int(math.max(fin - 1, mfin or 0))
      sum, t, epoch, rk, ra = ZERO, '0', ARGV[5], nil, int(w)
      redis.call('SET', K, '0', 'PXAT', int(fin + 1))
      create()
      return reply('RESET', ZERO)
    end

    -- 4. which window. Order is judged by the end on this clock alone: LiteLLM's hosts have clocks of
    --    their own, and w comes from them. Windows are closed at their end.
    local same = mw == w
    if now > fin then
      if mw then w, fin = mw, mfin end
      return reply('STALE', ZERO)
    end
    if mw and not same and now <= mfin and (mfin > fin or (mfin == fin and mw > w)) then
      w, fin = mw, mfin
      return reply('STALE', ZERO)
    end
    if not same and fin <= (tonumber(rf) or 0) then
      w, fin = mw, mfin
      return reply('STALE', ZERO)
    end
    if same then
      fin = mfin                                -- everybody's, whatever the caller found it to be
      if now > fin then return reply('STALE', ZERO) end
    end
    if kexp and kexp > fin + 1 + slack and not string.find(ARGV[7], 'F', 1, true) then
      return reply('FOREIGN', ZERO)
    end
    local code = 'OK'
    if not same then
      if mw and mw < w and (tonumber(ra) or 0) < w and string.find(ARGV[7], 'R', 1, true) then
        return reply('UNRESET', ZERO)           -- K is of before the reset, which was lost here
      end
      local start = fin - len
      if kexp and kexp <= start + slack and kexp < fin - slack then
        return reply('WAIT', ZERO)              -- K is the finished window's and about to expire
      end
      prev = mw and now <= mfin and int(mw) or ''
      sum, t, epoch, rk = ZERO, '0', ARGV[5], k or nil
    end

    -- 5. merge
    local stored, set, news = {}, {}, ZERO
    for i = first, #ARGV, 3 do
      local f, cum, acked = 'c:' .. ARGV[i], ARGV[i + 1], ARGV[i + 2]
      local have = same and redis.call('HGET', M, f) or false
      if have and not split(have) then
        return redis.error_reply('BDTYPE the marker holds no amount')
      end
      if not have then
        have = ZERO
        if rk and seen > 0 and rk >= seen - eps(seen) and less(ZERO, acked) then
          have, code = acked, 'MLOST'           -- K survived and holds it already
          sum = add(sum, acked)
          set[#set + 1] = f; set[#set + 1] = acked
        end
      end
      if less(have, cum) then
        local delta = sub(cum, have)
        news, sum = add(news, delta), add(sum, delta)
        set[#set + 1] = f; set[#set + 1] = cum
        have = cum
      end
      stored[#stored + 1] = have
    end
    if not split(sum) then return redis.error_reply('BDRANGE the sum is too large') end

    -- 6. K only grows; where it fell, somebody deleted or overwrote it, with our part in it
    local grow, base = news, nil
    if same then
      local applied = sub(sum, news)
      if less(ZERO, applied) then
        if not k then
          code, base = 'KLOST', t               -- gone: rebuild from the last total we saw
          if tonumber(t) < num(applied) then base = applied end
        elseif code ~= 'MLOST' and k < tonumber(t) - eps(tonumber(t)) then
          code, grow = 'KLOST', add(news, applied)
        end
      end
    end
    if k and k + num(grow) < num(sum) - eps(num(sum)) then
      -- M was lost too, and K was smaller since: it holds what the nodes have spent, at the least.
      code, grow = 'KLOST', sub(sum, decimal(kraw, k))
    end
    if not k and (base or less(ZERO, grow)) and fin - now < slack then
      -- So near its end LiteLLM would carry K over into its next window: M alone has it. M.t stays
      -- as K was, so that K is mended if somebody makes it again before the end.
      code, base, grow = 'ENDING', nil, ZERO
    end

    -- 7. write: K first, as only it can be refused
    local touched = false
    if base then redis.call('INCRBYFLOAT', K, base); touched = true end
    if less(ZERO, grow) then redis.call('INCRBYFLOAT', K, grow); touched = true end
    if touched and redis.call('PTTL', K) < 0 then redis.call('PEXPIREAT', K, int(fin + 1)) end
    if touched or #set > 0 then
      if not same and code == 'OK' then code = 'NEW' end
      t = redis.call('GET', K) or (same and t or sum)
      if not same then create() end
      redis.call('HSET', M, 'sum', sum, 't', t, unpack(set))
    end
    local answer = reply(code, grow, unpack(stored))
    if not H then return answer end

    -- 8. claims
    local total = ZERO
    if answer[6] ~= '' then total = decimal(answer[6], tonumber(answer[6]))
    elseif same then total = decimal(t, tonumber(t) or 0) end
    total = bounded(total)
    if less(total, sum) then total = sum end
    for _, x in ipairs(raise(H, c, ARGV, w, now, total)) do answer[#answer + 1] = x end
    return answer
    end

    if ARGV[1] ~= 'MANY' then return one(KEYS, ARGV) end
    local w, fin, len = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
    if not (w and fin and len) or len <= 0 or #KEYS % 2 ~= 0 or #ARGV ~= 5 + 2 * #KEYS then
      return redis.error_reply('BDARG bad arguments')
    end
    local tm = redis.call('TIME')
    local now = tonumber(tm[1]) * 1000 + math.floor(tonumber(tm[2]) / 1000)
    local slack = math.min(5000, math.floor(len / 4))
    local wtext, ftext, gone, marked = int(w), int(fin), int(fin + 1), int(fin + 600000)
    -- The two usual cases, a quarter of the work: nobody has told of the window yet, or marker and K
    -- are as this script left them. All else is for `one`; nothing was written then.
    local function quick(K, M, origin, cum, acked)
      local cg, cd, cf = split(cum)
      if now > fin or not cg then return nil end
      local field = 'c:' .. origin
      local m = redis.call('HMGET', M, 'w', 'fin', 'sum', 't', field)
      local k = redis.call('GET', K)
      local have = m[5]
      if not have and acked ~= ZERO then return nil end
      if not m[1] then
        if k or m[2] or m[3] or m[4] or have or fin - now < slack or cum == ZERO then return nil end
        local t = redis.call('INCRBYFLOAT', K, cum)
        redis.call('PEXPIREAT', K, gone)
        redis.call('HSET', M, 'v', '1', 'w', wtext, 'fin', ftext, 'sum', cum, 't', t, 'e', ARGV[5],
          'prev', '', 'rf', '', field, cum)
        redis.call('PEXPIREAT', M, marked)
        return t
      end
      if m[1] ~= wtext or m[2] ~= ftext or not k then return nil end
      local number, last = tonumber(k), tonumber(m[4] or '')
      local sg, sd, sf = split(m[3] or '')
      local hg, hd, hf = split(have or ZERO)
      if not number or not last or not sg or not hg or sg + cg >= 1e14 then return nil end
      local left = redis.call('PTTL', K)
      if left < 0 or now + left > fin + 1 + slack then return nil end
      local sum = sg * 1e9 + sd + sf / 1e12
      if number < last - eps(last) or number < sum - eps(sum) then return nil end
      if hg > cg or (hg == cg and (hd > cd or (hd == cd and hf >= cf))) then return k end
      local t = redis.call('INCRBYFLOAT', K, join(cg - hg, cd - hd, cf - hf))
      redis.call('HSET', M, 'sum', join(sg + cg - hg, sd + cd - hd, sf + cf - hf), 't', t, field, cum)
      return t
    end
    local replies = {}
    for i = 1, #KEYS, 2 do
      local K, M, at = KEYS[i], KEYS[i + 1], 4 + 2 * i
      local seen, origin, cum, acked = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
      local ok, reply = pcall(quick, K, M, origin, cum, acked)
      if ok and not reply then
        ok, reply = pcall(one, {K, M},
          {'SYNC', ARGV[2], ARGV[3], ARGV[4], ARGV[5], seen, '-', origin, cum, acked})
      end
      -- One budget's fault is not the others'.
      if not ok and type(reply) ~= 'table' then reply = redis.error_reply(tostring(reply)) end
      replies[#replies + 1] = reply
    end
    return replies
    """#
}
