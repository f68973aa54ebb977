using EmrMarket.Silos.Api.Problems;
using EmrMarket.Silos.Records.Mapping.Fhir.Files;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;

namespace EmrMarket.Silos.Api.Routes;

/// <summary>Record files on their way into a site: raw, so they stay in a folder that only this process enters, and are removed as soon as
/// they are read.</summary>
internal sealed class RecordSpool
{
    /// <summary>The most bytes of one call.</summary>
    public const long MostBytes = 512L << 20;

    private const int MostFiles = 20;

    private readonly string _folder;

    /// <summary>Opens the folder, and empties it of what a crash left.</summary>
    public RecordSpool(ApiOptions options)
    {
        _folder = options.Spool;
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }

        Access.KeyFolder.Create(_folder);
    }

    /// <summary>Takes the files of a call's body.</summary>
    /// <param name="context">The call.</param>
    /// <param name="types">The media types that a body of one file may have.</param>
    /// <exception cref="ApiException">The body is of another type, empty, or has too many files.</exception>
    public async Task<SpooledFiles> TakeAsync(HttpContext context, params string[] types)
    {
        MediaTypeHeaderValue? type = MediaTypeHeaderValue.TryParse(context.Request.ContentType, out MediaTypeHeaderValue? parsed)
            ? parsed : null;
        string folder = Path.Combine(_folder, Guid.NewGuid().ToString("N"));
        Access.KeyFolder.Create(folder);
        SpooledFiles files = new(folder);
        try
        {
            switch (type?.MediaType.Value?.ToLowerInvariant())
            {
                case { } one when one != "multipart/form-data" && types.Contains(one):
                    await files.AddAsync(context.Request.Body, one.EndsWith("ndjson", StringComparison.Ordinal), context.RequestAborted);
                    break;
                case "multipart/form-data" when HeaderUtilities.RemoveQuotes(type.Boundary).Value is { Length: > 0 and <= 70 } boundary:
                    MultipartReader parts = new(boundary, context.Request.Body);
                    while (await parts.ReadNextSectionAsync(context.RequestAborted) is { } part)
                    {
                        ContentDispositionHeaderValue? told = part.GetContentDispositionHeader();
                        string? name = told is { FileNameStar.HasValue: true } ? told.FileNameStar.Value
                            : told is { FileName.HasValue: true } ? told.FileName.Value : null;
                        if (name is null)
                        {
                            continue;
                        }

                        if (files.Paths.Count == MostFiles)
                        {
                            throw new ApiException(ProblemType.InvalidValue, $"a call has at most {MostFiles} files");
                        }

                        await files.AddAsync(part.Body, FhirPaths.IsByLine(name.Trim('"')), context.RequestAborted);
                    }

                    break;
                default:
                    throw new ApiException(ProblemType.UnsupportedMediaType);
            }

            return files.Paths.Count > 0 ? files : throw new ApiException(ProblemType.InvalidValue, "the body holds no file");
        }
        catch (Exception e)
        {
            files.Dispose();
            throw e is IOException and not BadHttpRequestException
                ? new ApiException(ProblemType.MalformedRequest, "the body is no multipart/form-data, or was cut short") : e;
        }
    }
}

/// <summary>The files of one call; removed when disposed.</summary>
internal sealed class SpooledFiles(string folder) : IDisposable
{
    private readonly List<string> _paths = [];

    /// <summary>Where they are. Their names are numbers: what the caller called them is nobody's path.</summary>
    public IReadOnlyList<string> Paths => _paths;

    /// <summary>Adds a file.</summary>
    /// <param name="content">Its bytes.</param>
    /// <param name="isByLine">Whether its sender says that it has a resource on each line.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task AddAsync(Stream content, bool isByLine, CancellationToken cancellationToken)
    {
        string path = Path.Combine(folder, $"file-{_paths.Count + 1}{(isByLine ? ".ndjson" : "")}");
        _paths.Add(path);
        await using FileStream file = new(path, FileMode.CreateNew, FileAccess.Write);
        await content.CopyToAsync(file, cancellationToken);
    }

    public void Dispose()
    {
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
