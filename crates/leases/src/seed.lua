-- Notes what the records say that nodes used, unless they report themselves: Keeper::seed.
-- KEYS: counters of one tag.  ARGV: for each counter node, used, life in ms.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for place, key in ipairs(KEYS) do
  local at = (place - 1) * 3
  local node, used, life = ARGV[at + 1], tonumber(ARGV[at + 2]), ARGV[at + 3]
  local s, n, u, held, till, past = 0, 0, 0, 0, 0, 0
  local entry = redis.call('HGET', key, node)
  if entry then
    s, n, u, held, till, past = string.match(entry, '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
    s, n, u, held, till = tonumber(s), tonumber(n), tonumber(u), tonumber(held), tonumber(till)
  end
  if till <= now and (used > u or not entry) then
    redis.call('HSET', key, node, string.format('%.0f %.0f %.0f %.0f %.0f %.0f', s, n, used, held, till, past))
    if redis.call('PTTL', key) < tonumber(life) then
      redis.call('PEXPIRE', key, life)
    end
  end
end
return #KEYS
