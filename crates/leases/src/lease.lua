-- Takes a node's report of counters, and leases what there is: plimsoll_core::limits::lease::Keeper::step.
-- KEYS: counters of one tag.  ARGV: node, start, number, lease in ms; then for each counter
-- most, used, hold, need, want, whether it is a gauge, whether used is all, life in ms.
-- A counter is a hash with a field for each node: "start number used slice until before"; before is how much
-- of used was used before that start, as long as the node has not read it from its records.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local node, start, number, lease = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local answers = {}
for place, key in ipairs(KEYS) do
  local at = 4 + (place - 1) * 8
  local most, used, hold = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local need, want = tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5])
  local is_gauge, is_whole = ARGV[at + 6] == '1', ARGV[at + 7] == '1'
  local life = tonumber(ARGV[at + 8])
  local others, holders, before, overtaken = 0, 1, 0, false
  local entries = redis.call('HGETALL', key)
  for field = 1, #entries, 2 do
    local s, n, u, held, till, past = string.match(entries[field + 1], '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
    s, n, u, held, till = tonumber(s), tonumber(n), tonumber(u), tonumber(held), tonumber(till)
    if entries[field] == node then
      overtaken = s > start or (s == start and n >= number)
      if not is_whole then
        before = s < start and u or tonumber(past)
      end
    elseif till > now then
      others = others + u + held
      holders = holders + 1
    elseif not is_gauge then
      others = others + u
    end
  end
  if overtaken then
    answers[#answers + 1] = -1
    answers[#answers + 1] = -1
  else
    used = math.min(before + used, 2 ^ 52)
    local room = math.max(most - others - used, 0)
    local ahead = math.min(want, math.floor(room / (2 * holders)))
    local slice = math.max(hold, math.min(room, math.max(ahead, hold + need)))
    local entry = string.format('%.0f %.0f %.0f %.0f %.0f %.0f', start, number, used, slice, now + lease, before)
    redis.call('HSET', key, node, entry)
    if redis.call('PTTL', key) < life then
      redis.call('PEXPIRE', key, string.format('%.0f', life))
    end
    answers[#answers + 1] = slice
    answers[#answers + 1] = math.max(room - slice, 0)
  end
end
return answers
