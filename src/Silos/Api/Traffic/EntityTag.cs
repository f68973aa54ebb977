using System.Security.Cryptography;
using System.Text;

namespace EmrMarket.Silos.Api.Traffic;

/// <summary>ETags: of what is answered, so that the same answer has the same tag whoever makes it.</summary>
internal static class EntityTag
{
    /// <summary>The tag of an answer.</summary>
    public static string Of(ReadOnlySpan<byte> body) => $"\"{Convert.ToHexStringLower(SHA256.HashData(body).AsSpan(0, 16))}\"";

    /// <summary>Whether a caller has it: the weak comparison of RFC 9110, 13.1.2. No tag of ours holds a comma.</summary>
    public static bool IsKnown(HttpRequest request, string tag)
    {
        foreach (string? list in request.Headers.IfNoneMatch)
        {
            if (list is not null
                && list.Split(',')
                .Any(one => one.AsSpan().Trim() is var known
                    && (known is "*" || known.SequenceEqual(tag)
                        || (known.StartsWith("W/", StringComparison.Ordinal) && known[2..].SequenceEqual(tag)))))
            {
                return true;
            }
        }

        return false;
    }
}

/// <summary>A text that is the session's alone, with its ETag.</summary>
internal sealed class TaggedText(string text, string contentType) : IResult
{
    /// <inheritdoc/>
    public Task ExecuteAsync(HttpContext httpContext)
    {
        byte[] body = Encoding.UTF8.GetBytes(text);
        HttpResponse response = httpContext.Response;
        string tag = EntityTag.Of(body);
        response.Headers.ETag = tag;
        response.Headers.CacheControl = "private, no-cache";
        if (EntityTag.IsKnown(httpContext.Request, tag))
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            return Task.CompletedTask;
        }

        response.ContentType = contentType;
        response.ContentLength = body.Length;
        return HttpMethods.IsHead(httpContext.Request.Method)
            ? Task.CompletedTask : response.Body.WriteAsync(body, httpContext.RequestAborted).AsTask();
    }
}
