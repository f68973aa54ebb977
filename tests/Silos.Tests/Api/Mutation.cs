using System.Globalization;
using System.Net.Http.Headers;
using System.Text;

namespace EmrMarket.Silos.Tests.Api;

/// <summary>Spoils calls: a byte here, a member there, now and then nothing at all.</summary>
internal static class Mutation
{
    private static readonly string[] Values =
    [
        "null", "-1", "0", "1e308", "18446744073709551616", "99999999999999999999999999999999999999999", "\"\"", "\"\\u0000\"", "[]", "{}",
        "true", "NaN", "\"' OR '1'='1\"", "\"../../../etc/passwd\"", "\"${jndi:x}\"", "\"\\ud800\"", "[[[[[[[[]]]]]]]]", "0.1",
        "\"<script>alert(1)</script>\"", "1.0000000000000000000000001",
    ];

    private static readonly string[] Segments = [
        "..", "%2e%2e", "%00", "'", "%27%3B--", "0", "-1", "%F0%9F%92%A9", "a%2Fb", ";", "~", "%25", "null", "%0d%0aSet-Cookie:x=1"];
    private static readonly string[] Types = ["application/json", "application/json; charset=utf-16", "text/plain", "application/xml",
        "multipart/form-data; boundary=x", "text/csv", "x"];

    public static HttpRequestMessage Of(Random random, Uri server, string method, string path, string? body)
    {
        if (random.Next(10) == 0)
        {
            method = (new[] { "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "BREW" })[random.Next(8)];
        }

        // No session is to end here, and no time to pass.
        method = method == "DELETE" && path.Contains("session", StringComparison.Ordinal) ? "GET" : method;
        HttpRequestMessage request = new(new HttpMethod(method), new Uri(server, Path(random, path)));
        if (body is not null || random.Next(20) == 0)
        {
            byte[] bytes = Body(random, body ?? "{}");
            request.Content = new ByteArrayContent(bytes);
            request.Content.Headers.TryAddWithoutValidation("Content-Type", path.Contains("/loads", StringComparison.Ordinal)
                ? "text/csv" : random.Next(12) == 0 ? Types[random.Next(Types.Length)] : "application/json");
        }

        switch (random.Next(14))
        {
            case 0:
                request.Headers.TryAddWithoutValidation("Idempotency-Key", Text(random, random.Next(1, 130)));
                break;
            case 1:
                request.Headers.TryAddWithoutValidation("If-None-Match", Text(random, random.Next(1, 40)));
                break;
            case 2:
                request.Headers.TryAddWithoutValidation("Cookie", "emr-session=" + Text(random, random.Next(1, 200)));
                break;
            case 3:
                request.Headers.TryAddWithoutValidation("Origin", Text(random, random.Next(1, 30)));
                break;
            case 4:
                request.Headers.TryAddWithoutValidation("Accept", Text(random, random.Next(1, 30)));
                break;
            case 5:
                request.Headers.Authorization = new AuthenticationHeaderValue(
                    "Bearer", Convert.ToHexStringLower(RandomBytes(random, random.Next(0, 100))) + "x");
                break;
            default:
                break;
        }

        return request;
    }

    private static string Path(Random random, string path)
    {
        string[] parts = path.Split('?', 2);
        string[] segments = parts[0].Split('/');
        switch (random.Next(6))
        {
            case 0:
                segments[random.Next(3, segments.Length)] = Segments[random.Next(Segments.Length)];
                break;
            case 1:
                int at = random.Next(3, segments.Length);
                char[] letters = [.. segments[at]];
                if (letters.Length > 0)
                {
                    letters[random.Next(letters.Length)] = "0fgzAZ-_.~"[random.Next(10)];
                }

                segments[at] = new string(letters);
                break;
            default:
                break;
        }

        string query = random.Next(5) == 0
            ? (parts.Length > 1 ? parts[1] + "&" : "")
                + ((string[])["limit", "cursor", "schema", "format", "cookie", Uri.EscapeDataString(Text(random, 5))])[random.Next(6)]
                + "=" + Uri.EscapeDataString(Text(random, random.Next(0, 20)))
            : parts.Length > 1 ? parts[1] : "";
        string joined = string.Join('/', segments);

        // The one path below these whose answer ends a session is left alone.
        return (joined.EndsWith("/session", StringComparison.Ordinal) ? "/api/v1/market" : joined) + (query.Length > 0 ? "?" + query : "");
    }

    public static byte[] Body(Random random, string body)
    {
        List<byte> bytes = [.. Encoding.UTF8.GetBytes(random.Next(3) == 0 ? Replaced(random, body) : body)];
        for (int i = random.Next(4); i > 0 && bytes.Count > 0; i--)
        {
            int at = random.Next(bytes.Count);
            switch (random.Next(4))
            {
                case 0:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 1:
                    bytes.RemoveAt(at);
                    break;
                case 2:
                    bytes.Insert(at, (byte)"{}[]\",:\\0"[random.Next(9)]);
                    break;
                default:
                    bytes.InsertRange(at, bytes.Skip(random.Next(bytes.Count)).Take(random.Next(20)).ToArray());
                    break;
            }
        }

        return [.. bytes];
    }

    // The value of one member becomes another.
    private static string Replaced(Random random, string body)
    {
        int[] colons = [.. Enumerable.Range(0, body.Length).Where(i => body[i] == ':' && i > 0 && body[i - 1] == '"')];
        if (colons.Length == 0)
        {
            return body;
        }

        int from = colons[random.Next(colons.Length)] + 1, to = from;
        while (to < body.Length && body[to] is not (',' or '}'))
        {
            to++;
        }

        return string.Concat(body.AsSpan(0, from), Values[random.Next(Values.Length)], body.AsSpan(to));
    }

    private static string Text(Random random, int length) =>
        string.Create(CultureInfo.InvariantCulture,
            $"{new string([.. Enumerable.Range(0, length).Select(_ => (char)random.Next(33, 127))])}");

    private static byte[] RandomBytes(Random random, int count)
    {
        byte[] bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }
}
