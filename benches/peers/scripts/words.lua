local find, lower = string.find, string.lower
local patterns = {}

function configure(list)
    for at, pattern in ipairs(list) do
        patterns[at] = lower(pattern)
    end
end

function judge(message)
    local text = lower(message.text)
    for at = 1, #patterns do
        if find(text, patterns[at], 1, true) then
            return "drop"
        end
    end
    return "pass"
end
